# SPDX-License-Identifier: Apache-2.0
"""Defects that hurt whoever fine-tunes the module (F4, F5, H1)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, warns
from tests.checker.tiny import serve

v1 = tf.compat.v1


def clear(name):
  """Empties a collection when the variant is complete."""
  return lambda net: v1.get_default_graph().clear_collection(name)


def _assigning_itself(x, training):
  x = tiny.body(x, training, 0.99)
  if training:
    clear("update_ops")(None)
    mean, variance = by_name("bn/moving_mean"), by_name("bn/moving_variance")
    update(v1.assign(mean, mean + 0.0))
    update(v1.assign(variance, variance * 1.0))
  return x


def _frozen_out_of_use(x, training, momentum):
  x = tiny.body(x, training, momentum)
  if training:
    clear("update_ops")(None)
  return x


def _other_names(x, training, momentum):
  """Batch norm whose averages have a name of their own, and no updates."""
  x = tiny.body(x, False, momentum)
  ones = v1.ones_initializer()
  options = dict(trainable=False, initializer=ones)
  mean = tiny.variable("population/mean", [tiny.FILTERS], **options)
  variance = tiny.variable("population/variance", [tiny.FILTERS], **options)
  if training:
    mean, variance = tf.nn.moments(x, [0, 1, 2])
  return tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)


# Batch norm in training mode, whose updates nobody collected.
breaks(
  "no-update-ops",
  published_without_updates=dict(finish=clear("update_ops")),
  averages_of_other_names=dict(make_body=_other_names),
)


@breaks("no-update-ops")
def pruned_updates(path):
  """The same, with the assignments gone from the graph."""
  tiny.build(path, make_body=_frozen_out_of_use)
  with edit.existing(path) as proto:
    for meta_graph in proto.meta_graphs:
      nodes = meta_graph.graph_def.node
      for node in list(nodes):
        if any("AssignSub" in name for name in (node.op, *node.input)):
          nodes.remove(node)


def _update_without_assignment(x, training, momentum):
  x = tiny.body(x, False, momentum)
  if training:
    v1.add_to_collection("update_ops", tf.reduce_mean(x))
    x = x + tf.random.uniform(tf.shape(x))
  return x


breaks(
  "update-ops-dead",
  # UPDATE_OPS run, and write what the variables have.
  published_dead_updates=dict(
    make_body=lambda x, training, momentum: tiny.body(x, training, 1.0)
  ),
  updates_without_assignments=dict(make_body=_update_without_assignment),
  assigned_to_itself=dict(
    make_body=lambda x, training, momentum: _assigning_itself(x, training)
  ),
)


def update(assignment):
  v1.add_to_collection("update_ops", assignment)


def by_name(name):
  """The variable of a variant, in a collection of all or of some."""
  found = {v.op.name: v for v in v1.global_variables()}
  return found[name]


def _at_the_end(change):
  """What changes the training variant when it is complete."""
  return dict(finish=lambda net: change() if net.training else None)


def _decay():
  kernel = by_name("conv/kernel")
  update(v1.assign_sub(kernel, 1e-4 * kernel))


def _decay_in_a_function():
  kernel, mean = by_name("conv/kernel"), by_name("bn/moving_mean")

  @tf.function
  def decay():
    kernel.assign_sub(1e-4 * kernel + 0.0 * tf.reduce_sum(mean))
    return tf.constant(0.0)

  update(decay().op)


def _trainable_averages():
  for name in ("bn/moving_mean", "bn/moving_variance"):
    v1.add_to_collection("trainable_variables", by_name(name))


breaks(
  "updates-trainable",
  weight_decay=_at_the_end(_decay),
  weight_decay_in_a_function=_at_the_end(_decay_in_a_function),
  trainable_averages=dict(finish=lambda net: _trainable_averages()),
)


def _update_again():
  mean = by_name("bn/moving_mean")
  update(v1.assign_sub(mean, 0.01 * mean))


def _update_after():
  mean = by_name("bn/moving_mean")
  with tf.control_dependencies(v1.get_collection("update_ops")):
    update(v1.assign_sub(mean, 0.01 * mean))


breaks("updated-twice", in_no_order=_at_the_end(_update_again))
warns("updated-twice", in_order=_at_the_end(_update_after))


def _without(name, training):
  """Takes a variable out of the trainable ones of one variant."""

  def change(net):
    if net.training == training:
      kept = [v for v in v1.trainable_variables() if v.op.name != name]
      clear("trainable_variables")(None)
      for variable in kept:
        v1.add_to_collection("trainable_variables", variable)

  return dict(finish=change)


breaks(
  "trainable-differ",
  trainable_in_training_only=_without("logits/kernel", False),
  frozen_in_training=_without("conv/kernel", True),
)


def _features_after_updates(x):
  with tf.control_dependencies(v1.get_collection("update_ops")):
    return tf.identity(tiny.pool(x))


def _counter():
  zeros = v1.zeros_initializer()
  return v1.get_variable("calls", [], tf.int32, zeros, trainable=False)


def _counted(x):
  with tf.control_dependencies([v1.assign_add(_counter(), 1)]):
    return tf.identity(tiny.pool(x))


def _counted_in_a_function(x):
  counter = _counter()

  @tf.function
  def count():
    counter.assign_add(1)
    return tf.constant(0.0)

  return tiny.pool(x) + count()


def _generator(x, training, momentum):
  """A random generator whose state is a variable (as tf.random.Generator)."""
  x = tiny.body(x, training, momentum)
  options = dict(initializer=v1.ones_initializer(), trainable=False)
  state = v1.get_variable("state", [3], tf.int64, use_resource=True, **options)
  if not training:
    return x
  algorithm = tf.constant(1, tf.int64)  # Philox.
  noise = tf.raw_ops.StatefulUniform(
    resource=state.handle,
    algorithm=algorithm,
    shape=tf.shape(x, out_type=tf.int64),
  )
  return x * noise


breaks(
  "updates-without-asking",
  outputs_wait_for_updates=dict(make_features=_features_after_updates),
  counts_its_calls=dict(make_features=_counted),
  counts_in_a_function=dict(make_features=_counted_in_a_function),
  random_generator=dict(make_body=_generator),
)


def _two_placeholders(net):
  """A placeholder for each signature, and batch norm behind each."""
  tiny.serve_features(net)
  others = tiny.placeholder()
  with v1.variable_scope(v1.get_variable_scope(), reuse=True):
    x = tiny.pool(tiny.body(2.0 * others - 1.0, net.training, 0.99))
    logits = tiny.head(x)
  hub.add_signature(
    "image_classification", {"images": others}, {"default": logits}
  )


def _add_penalty(tensor):
  v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, tensor)


def _penalize(make):
  """A penalty that `make` gives of the network of the variant."""
  return dict(finish=lambda net: _add_penalty(make(net)))


def _kernel_loss():
  return tf.nn.l2_loss(by_name("conv/kernel"))


breaks("not-finite", penalty_is_nan=_penalize(lambda net: _kernel_loss() / 0.0))
breaks(
  "penalty-ill-formed",
  penalty_for_each_filter=_penalize(
    lambda net: tf.reduce_sum(by_name("conv/kernel") ** 2, [0, 1, 2])
  ),
  penalty_of_double_precision=_penalize(
    lambda net: tf.cast(_kernel_loss(), tf.float64)
  ),
)
warns(
  "penalties-differ",
  larger_in_training=_penalize(
    lambda net: _kernel_loss() * (2.0 if net.training else 1.0)
  ),
)


def _switched(features, training):
  return features + 0.0 * v1.placeholder(tf.float32, [], "is_training")


breaks(
  "unfed-placeholder",
  two_placeholders=dict(signatures=_two_placeholders),
  # A penalty on activations: consumers get it without any images.
  activity_regularizer=dict(
    finish=lambda net: _add_penalty(tf.reduce_sum(net.features**2))
  ),
  is_training_placeholder=dict(change_features=_switched),
)


@tf.custom_gradient
def _swish(x):
  """It has a gradient that only the author's process has."""
  y = tf.sigmoid(x)
  return x * y, lambda dy: dy * (y + x * y * (1.0 - y))


def _rounded(*args):
  return tf.cast(tf.cast(tiny.body(*args) * 100.0, tf.int32), tf.float32)


breaks(
  "not-differentiable",
  custom_gradient=dict(make_features=lambda x: _swish(tiny.pool(x))),
  rounded=dict(make_body=_rounded, signatures=tiny.serve_features),
)
warns(
  "no-trainable-variables",
  nothing_trainable=dict(finish=clear("trainable_variables")),
)


def _penalty_in_training(net):
  if net.training:
    _add_penalty(tf.nn.l2_loss(v1.trainable_variables()[0]))


warns("penalties-differ", penalty_in_training=dict(finish=_penalty_in_training))


def hyperparameters(net):
  """H1: both signatures, and the one with the momentum."""
  tiny.add_signatures(net)
  momentum = {"batch_norm_momentum": net.momentum}
  names = ["image_feature_vector_with_bn_hparams"]
  serve(names=names, more_inputs=momentum)(net)


def with_momentum(default=0.99, shape=(), **options):
  """Options of a module whose momentum can be given."""
  return dict(
    make_momentum=lambda: v1.placeholder_with_default(default, shape),
    signatures=hyperparameters,
    **options,
  )


breaks(
  "bn-hparams-dead",
  momentum_unused=with_momentum(
    make_body=lambda x, training, momentum: tiny.body(x, training, 0.9)
  ),
  # The updates read the momentum, and cancel it.
  momentum_does_not_steer=with_momentum(
    make_body=lambda x, training, momentum: tiny.body(
      x, training, momentum * 0.0 + 0.9
    )
  ),
  momentum_upside_down=with_momentum(
    make_body=lambda x, training, momentum: tiny.body(
      x, training, 1.0 - momentum
    )
  ),
  another_default=with_momentum(0.9),
  momentum_is_a_vector=with_momentum(
    [0.99] * tiny.FILTERS, shape=[tiny.FILTERS]
  ),
)


def _with_recent_op(x):
  """TensorFlow 1.15 does not have it."""
  return tiny.pool(x) + tf.random.stateless_uniform([tiny.FILTERS], [1, 2])


def _name_for_debugging(node):
  node.attr["debug_name"].s = b"kernel"


def _loop(x):
  """Control flow in the way of TensorFlow 2, with weights in it."""
  kernel = tiny.variable("loop/kernel", [tiny.FILTERS, tiny.FILTERS])
  _, x = tf.while_loop(
    lambda i, _: i < 3,
    lambda i, y: (i + 1, tf.tanh(tf.matmul(y, kernel))),
    [tf.constant(0), tiny.pool(x)],
  )
  return tf.ensure_shape(x, [None, tiny.FILTERS])


def _loop_in_a_branch(x):
  x = tf.cond(tf.reduce_sum(x) > 1e9, lambda: tiny.pool(x), lambda: _loop(x))
  return tf.ensure_shape(x, [None, tiny.FILTERS])


def _untrained(make_features):
  return dict(
    make_features=make_features,
    signatures=tiny.serve_features,
    make_logits=lambda features: None,
    variants=[set()],
  )


warns(
  "oldest-tensorflow",
  loop_in_inference_only=_untrained(_loop),
  loop_in_a_branch=_untrained(_loop_in_a_branch),
  recent_op=dict(make_features=_with_recent_op),
  recent_attribute=dict(change=edit.nodes("VarHandleOp", _name_for_debugging)),
)
