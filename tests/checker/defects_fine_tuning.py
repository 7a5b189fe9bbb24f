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


def _frozen_out_of_use(x, training, momentum):
  x = tiny.body(x, training, momentum)
  if training:
    clear("update_ops")(None)
  return x


# Batch norm in training mode, whose updates nobody collected.
breaks(
  "no-update-ops", published_without_updates=dict(finish=clear("update_ops"))
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
)


def _features_after_updates(x):
  with tf.control_dependencies(v1.get_collection("update_ops")):
    return tf.identity(tiny.pool(x))


breaks(
  "updates-without-asking",
  outputs_wait_for_updates=dict(make_features=_features_after_updates),
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
  momentum_is_a_vector=with_momentum(
    [0.99] * tiny.FILTERS, shape=[tiny.FILTERS]
  ),
)


def _with_recent_op(x):
  """TensorFlow 1.15 does not have it."""
  return tiny.pool(x) + tf.random.stateless_uniform([tiny.FILTERS], [1, 2])


def _name_for_debugging(node):
  node.attr["debug_name"].s = b"kernel"


warns(
  "oldest-tensorflow",
  recent_op=dict(make_features=_with_recent_op),
  recent_attribute=dict(change=edit.nodes("VarHandleOp", _name_for_debugging)),
)
