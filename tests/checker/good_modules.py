"""Modules that conform, in the ways in which modules were ever written."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import edit, tiny
from tests.checker.corpus import good
from tests.checker.defects_files import with_table
from tests.checker.defects_fine_tuning import hyperparameters, only_features

v1 = tf.compat.v1


@good
def two_tasks(path):
  edit.drop_debug_names(tiny.build(path))


@good
def one_task_without_training(path):
  def signatures(net):
    for name in ("default", "image_classification"):
      hub.add_signature(name, {"images": net.images}, {"default": net.logits})

  tiny.build(path, signatures=signatures, variants=[set()])
  edit.drop_debug_names(path)


@good
def variable_size(path):
  tiny.build(path, make_images=lambda: tiny.placeholder(None), info=(9, 7))
  edit.drop_debug_names(path)


@good
def ref_variables(path):
  """As TF 1.x authored them."""
  tiny.build(path, scope=lambda: v1.variable_scope("", use_resource=False))
  edit.drop_debug_names(path)


@good
def partitioned_variables(path):
  tiny.build(
    path,
    scope=lambda: v1.variable_scope(
      "",
      use_resource=False,
      partitioner=v1.fixed_size_partitioner(2),
    ),
    make_body=lambda x, training, momentum: tf.nn.relu(
      tf.nn.conv2d(
        x,
        tf.convert_to_tensor(
          tiny.variable("conv/kernel", [3, 3, 3, tiny.FILTERS])
        ),
        2,
        "SAME",
      )
    ),
    make_logits=lambda x: tf.matmul(
      x,
      tf.convert_to_tensor(
        tiny.variable("kernel", [tiny.FILTERS, tiny.CLASSES])
      ),
    ),
    variants=[set()],
  )
  edit.drop_debug_names(path)


@good
def hyperparameter_signature(path):
  tiny.build(
    path,
    make_momentum=lambda: v1.placeholder_with_default(0.99, []),
    signatures=hyperparameters,
  )
  edit.drop_debug_names(path)


@good
def endpoints_and_a_third_signature(path):
  def signatures(net):
    images = {"images": net.images}
    outputs = {"default": net.features, "Tiny/Logits": net.logits}
    hub.add_signature("default", images, outputs)
    hub.add_signature("image_feature_vector", images, outputs)
    hub.add_signature(
      "doubled", {"anything": net.images}, {"result": net.features * 2.0}
    )

  edit.drop_debug_names(tiny.build(path, signatures=signatures))


@good
def a_placeholder_for_each_signature(path):
  """Fine where no update depends on them."""

  def signatures(net):
    for name in ("default", "image_feature_vector"):
      images = tiny.placeholder()
      with v1.variable_scope(v1.get_variable_scope(), reuse=True):
        x = tiny.pool(tiny.body(images * 2.0 - 1.0, False, 0.99))
      hub.add_signature(name, {"images": images}, {"default": x})

  tiny.build(path, signatures=signatures, variants=[set()])
  edit.drop_debug_names(path)


@good
def dropout_inside(path):
  """In the training variant, before the classifier (C5)."""

  def logits(features):
    return tiny.head(features)

  def make_body(x, training, momentum):
    x = tiny.body(x, training, momentum)
    return drop(x) if training else x

  def drop(x):
    mask = v1.random_uniform(tf.shape(x)) > 0.2
    return x * tf.cast(mask, tf.float32) / 0.8

  tiny.build(path, make_body=make_body, make_logits=logits)
  edit.drop_debug_names(path)


@good
def frozen_batch_norm(path):
  """Trained with dropout alone: batch norm needs no updates."""

  def make_body(x, training, momentum):
    x = tiny.body(x, False, momentum)
    if training:
      mask = v1.random_uniform(tf.shape(x)) > 0.2
      x = x * tf.cast(mask, tf.float32)
    return x

  edit.drop_debug_names(tiny.build(path, make_body=make_body))


@good
def penalties(path):
  def finish(net):
    for weights in v1.trainable_variables():
      v1.add_to_collection(
        v1.GraphKeys.REGULARIZATION_LOSSES, 0.01 * tf.nn.l2_loss(weights)
      )

  edit.drop_debug_names(tiny.build(path, finish=finish))


@good
def tiny_answers(path):
  """A network may answer 1e-10 and still be told from a constant."""
  tiny.build(
    path,
    make_features=lambda x: tiny.pool(x) * 1e-10,
    signatures=only_features,
  )
  edit.drop_debug_names(path)


@good
def no_variables(path):
  def signatures(net):
    for name in ("default", "image_feature_vector"):
      hub.add_signature(name, {"images": net.images}, {"default": net.features})

  tiny.build(
    path,
    make_body=lambda x, training, momentum: tf.abs(x),
    make_logits=lambda features: None,
    signatures=signatures,
    variants=[set()],
  )


@good
def asset(path):
  """A table, read from a file of the module."""
  with_table(path)
  edit.drop_debug_names(path)


@good
def loop(path):
  """Control flow in the way of TensorFlow 1."""

  def make_features(x):
    v1.disable_control_flow_v2()
    try:
      _, x = v1.while_loop(
        lambda i, _: i < 3,
        lambda i, y: (i + 1, y * 1.1),
        [tf.constant(0), tiny.pool(x)],
      )
    finally:
      v1.enable_control_flow_v2()
    return tf.ensure_shape(x, [None, tiny.FILTERS])

  edit.drop_debug_names(tiny.build(path, make_features=make_features))
