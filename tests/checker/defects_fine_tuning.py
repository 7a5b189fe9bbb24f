"""Defects that hurt whoever fine-tunes the module (F4, F5, H1)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, warns

v1 = tf.compat.v1


def clear(name):
  """Empties a collection when the variant is complete."""
  return lambda net: v1.get_default_graph().clear_collection(name)


@breaks("no-update-ops")
def published_without_updates(path):
  """Batch norm in training mode, whose updates nobody collected."""
  tiny.build(path, finish=clear("update_ops"))


@breaks("no-update-ops")
def pruned_updates(path):
  """The same, with the assignments gone from the graph."""

  def make_body(x, training, momentum):
    x = tiny.body(x, False, momentum) if not training else x
    if training:
      x = frozen_out_of_use(x)
    return x

  def frozen_out_of_use(x):
    x = tiny.body(x, True, 0.99)
    clear("update_ops")(None)
    return x

  tiny.build(path, make_body=make_body)
  edit_out_assignments(path)


def edit_out_assignments(path):
  import pathlib

  from tensorflow.core.protobuf import saved_model_pb2

  file = pathlib.Path(path) / "saved_model.pb"
  proto = saved_model_pb2.SavedModel.FromString(file.read_bytes())
  for meta_graph in proto.meta_graphs:
    kept = [
      node
      for node in meta_graph.graph_def.node
      if not node.op.startswith("AssignSub")
      and not any("AssignSub" in name for name in node.input)
    ]
    nodes = [type(node).FromString(node.SerializeToString()) for node in kept]
    del meta_graph.graph_def.node[:]
    meta_graph.graph_def.node.extend(nodes)
  file.write_bytes(proto.SerializeToString())


@breaks("update-ops-dead")
def published_dead_updates(path):
  """UPDATE_OPS run, and write what the variables have."""

  def make_body(x, training, momentum):
    return tiny.body(x, training, 1.0)

  tiny.build(path, make_body=make_body)


@breaks("update-ops-dead")
def updates_without_assignments(path):
  def make_body(x, training, momentum):
    x = tiny.body(x, False, momentum)
    if training:
      v1.add_to_collection("update_ops", tf.reduce_mean(x))
      x = x + tf.random.uniform(tf.shape(x))
    return x

  tiny.build(path, make_body=make_body)


@breaks("updates-without-asking")
def outputs_wait_for_updates(path):
  def features(x):
    with tf.control_dependencies(v1.get_collection("update_ops")):
      return tf.identity(tiny.pool(x))

  tiny.build(path, make_features=features)


@breaks("unfed-placeholder")
def two_placeholders(path):
  """A placeholder for each signature, and batch norm behind each."""

  def signatures(net):
    images = {"images": net.images}
    hub.add_signature("default", images, {"default": net.features})
    hub.add_signature("image_feature_vector", images, {"default": net.features})
    others = tiny.placeholder()
    with v1.variable_scope(v1.get_variable_scope(), reuse=True):
      x = tiny.pool(tiny.body(2.0 * others - 1.0, net.training, 0.99))
    hub.add_signature(
      "image_classification", {"images": others}, {"default": tiny_head(x)}
    )

  def tiny_head(x):
    with v1.variable_scope(v1.get_variable_scope(), reuse=True):
      return tiny.head(x)

  tiny.build(path, signatures=signatures)


@breaks("unfed-placeholder")
def activity_regularizer(path):
  """A penalty on activations: consumers get it without any images."""

  def finish(net):
    v1.add_to_collection(
      v1.GraphKeys.REGULARIZATION_LOSSES, tf.reduce_sum(net.features**2)
    )

  tiny.build(path, finish=finish)


@breaks("unfed-placeholder")
def is_training_placeholder(path):
  def change(features, training):
    switch = v1.placeholder(tf.float32, [], "is_training")
    return features + 0.0 * switch

  tiny.build(path, change_features=change)


@breaks("not-differentiable")
def custom_gradient(path):
  """A gradient that only the author's process has."""

  @tf.custom_gradient
  def swish(x):
    y = tf.sigmoid(x)
    return x * y, lambda dy: dy * (y + x * y * (1.0 - y))

  tiny.build(path, make_features=lambda x: swish(tiny.pool(x)))


@breaks("not-differentiable")
def rounded(path):
  tiny.build(
    path,
    make_body=lambda *args: tf.cast(
      tf.cast(tiny.body(*args) * 100.0, tf.int32), tf.float32
    ),
    signatures=only_features,
  )


def only_features(net):
  for name in ("default", "image_feature_vector"):
    hub.add_signature(name, {"images": net.images}, {"default": net.features})


@warns("no-trainable-variables")
def nothing_trainable(path):
  tiny.build(path, finish=clear("trainable_variables"))


@warns("penalties-differ")
def penalty_in_training(path):
  def finish(net):
    if net.training:
      v1.add_to_collection(
        v1.GraphKeys.REGULARIZATION_LOSSES,
        tf.nn.l2_loss(v1.trainable_variables()[0]),
      )

  tiny.build(path, finish=finish)


def hyperparameters(net):
  """H1: both signatures, and the one with the momentum."""
  tiny.add_signatures(net)
  inputs = {"images": net.images, "batch_norm_momentum": net.momentum}
  hub.add_signature(
    "image_feature_vector_with_bn_hparams", inputs, {"default": net.features}
  )


@breaks("bn-hparams-dead")
def momentum_unused(path):
  tiny.build(
    path,
    make_momentum=lambda: v1.placeholder_with_default(0.99, []),
    make_body=lambda x, training, momentum: tiny.body(x, training, 0.9),
    signatures=hyperparameters,
  )


@breaks("bn-hparams-dead")
def momentum_does_not_steer(path):
  """The updates read the momentum, and cancel it."""
  tiny.build(
    path,
    make_momentum=lambda: v1.placeholder_with_default(0.99, []),
    make_body=lambda x, training, momentum: tiny.body(
      x, training, momentum * 0.0 + 0.9
    ),
    signatures=hyperparameters,
  )


@breaks("bn-hparams-dead")
def momentum_is_a_vector(path):
  tiny.build(
    path,
    make_momentum=lambda: v1.placeholder_with_default(
      [0.99] * tiny.FILTERS, [tiny.FILTERS]
    ),
    signatures=hyperparameters,
  )


@warns("oldest-tensorflow")
def recent_op(path):
  """An op that TensorFlow 1.15 does not have."""

  def features(x):
    random = tf.random.stateless_uniform([tiny.FILTERS], [1, 2])
    return tiny.pool(x) + random

  tiny.build(path, make_features=features)


@warns("oldest-tensorflow")
def recent_attribute(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      for node in meta_graph.graph_def.node:
        if node.op == "VarHandleOp":
          node.attr["debug_name"].s = b"kernel"
