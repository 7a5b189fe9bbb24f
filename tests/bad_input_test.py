"""Each wrong input to a builder has its own clear error: got, expected, cure.

A row is `(id, fn, arguments, exception, words of the message)`. Builders write
no files: that nothing is written by a failing export is in `staging_test.py`.
"""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.compat import tf
from tests import function_sources, models
from tests.keras_sources import SHAPE, keras, layers

v1 = tf.compat.v1
FEATURES, CLASSES = models.FEATURES, models.CLASSES


def ok(images):
  return tf.reduce_mean(images, [1, 2])


def returning(make):
  """A function on images that returns `make(images)`."""
  return lambda: lambda images: make(images)


def raising(images, is_training):
  if is_training:
    raise RuntimeError("the training part is broken")
  return ok(images)


def sequential(*shape, **options):
  def make():
    return keras.Sequential(
      [
        keras.Input(shape, **options),
        layers.Conv2D(2, 3, padding="same"),
        layers.GlobalAveragePooling2D(),
      ]
    )

  return make


def two_inputs():
  inputs = [keras.Input(SHAPE), keras.Input((3,))]
  x = layers.GlobalAveragePooling2D()(inputs[0])
  return keras.Model(inputs, layers.Add()([x, inputs[1]]))


def channels_first():
  return keras.Sequential(
    [
      keras.Input(SHAPE),
      layers.GlobalAveragePooling2D(data_format="channels_first", name="pool"),
    ]
  )


def collecting(*keys):
  def make():
    def fn(images):
      for key in keys:
        v1.add_to_collection(key, tf.constant(1.0))
      return ok(images)

    return fn

  return make


def table(images):
  keys = tf.constant([0, 1], tf.int64)
  initializer = tf.lookup.KeyValueTensorInitializer(keys, keys)
  found = tf.lookup.StaticHashTable(initializer, 0)
  return ok(images) + tf.cast(found[tf.constant([0], tf.int64)], tf.float32)


def python(images):
  result = tf.numpy_function(np.mean, [images], tf.float32)
  return ok(images) + tf.reshape(result, [1, 1])


@tf.custom_gradient
def reverse(x):
  return tf.identity(x), lambda dy: -dy


def reversing(images, is_training):
  x = reverse(images) if is_training else images
  scale = 2.0 if is_training else 1.0
  return ok(x) * scale


def ignoring_momentum(images, is_training, batch_norm_momentum):
  del batch_norm_momentum
  return ok(images) * (2.0 if is_training else 1.0)


def without_batch_norm():
  return keras.Sequential(
    [
      keras.Input(SHAPE),
      layers.Dropout(0.5),
      layers.Conv2D(2, 3),
      layers.GlobalAveragePooling2D(),
    ]
  )


FUNCTIONS = [
  ("none", lambda: None, TypeError, ["NoneType", "Keras model"]),
  ("number", lambda: 3, TypeError, ["int", "(3)", "function on images"]),
  ("class", lambda: keras.Model, TypeError, ["class Model", "instance"]),
  ("no_such_path", lambda: "/no/such", ValueError, ["/no/such", "saved_model"]),
  (
    "raises",
    lambda: raising,
    hie.SourceError,
    ["raising", "training variant", "the training part is broken"],
  ),
  (
    "other_size",
    sequential(16, 16, 3),
    ValueError,
    ["16x16", "height=12, width=10"],
  ),
  ("several_inputs", two_inputs, ValueError, ["2 inputs", "C13"]),
  ("one_channel", sequential(12, 10, 1), ValueError, ["1 channels", "3, RGB"]),
  ("four_channels", sequential(12, 10, 4), ValueError, ["4 channels", "C12"]),
  (
    "channels_first_input",
    sequential(3, 12, 10),
    ValueError,
    ["channels_first", "channels_last", "C17"],
  ),
  (
    "channels_first_layer",
    channels_first,
    ValueError,
    ["channels_first", "pool", "C17"],
  ),
  (
    "fixed_batch_of_a_model",
    sequential(12, 10, 3, batch_size=8),
    ValueError,
    ["batch size of 8", "C14"],
  ),
  ("rank_4", returning(lambda x: x), ValueError, ["shape", "Pool it"]),
  (
    "rank_1",
    returning(lambda x: tf.reduce_mean(x, [1, 2, 3])),
    ValueError,
    ["[batch_size, width]", "Reshape"],
  ),
  (
    "integers",
    returning(lambda x: tf.cast(ok(x), tf.int32)),
    ValueError,
    ["int32", "float32"],
  ),
  (
    "unknown_width",
    returning(lambda x: v1.placeholder_with_default(ok(x), [None, None])),
    ValueError,
    ["unknown width", "constant"],
  ),
  (
    "fixed_batch",
    returning(lambda x: tf.zeros([8, 3]) + tf.reduce_mean(x)),
    ValueError,
    ["fixed batch size", "C14"],
  ),
  ("no_tensor", returning(lambda x: "text"), TypeError, ["str", "tensor"]),
  ("nothing", returning(lambda x: None), TypeError, ["NoneType", "tensor"]),
  (
    "three_values",
    returning(lambda x: (ok(x), ok(x), ok(x))),
    TypeError,
    ["tuple of 3", "dict of endpoints"],
  ),
  (
    "dict_without_default",
    returning(lambda x: {"features": ok(x)}),
    ValueError,
    ["features", "'default'"],
  ),
  (
    "sparse",
    returning(lambda x: tf.sparse.from_dense(ok(x))),
    TypeError,
    ["SparseTensor", "to_dense"],
  ),
  (
    "ragged",
    returning(lambda x: tf.RaggedTensor.from_tensor(ok(x))),
    TypeError,
    ["RaggedTensor", "to_tensor"],
  ),
  (
    "endpoint_is_no_tensor",
    returning(lambda x: (ok(x), {"mine": [1, 2]})),
    TypeError,
    ["mine", "list", "tensor"],
  ),
  (
    "endpoint_is_sparse",
    returning(lambda x: (ok(x), {"mine": tf.sparse.from_dense(ok(x))})),
    TypeError,
    ["mine", "SparseTensor"],
  ),
  (
    "endpoint_has_no_name",
    returning(lambda x: (ok(x), {3: ok(x)})),
    TypeError,
    ["3", "string"],
  ),
  (
    "endpoint_called_default",
    returning(lambda x: (ok(x), {"default": ok(x)})),
    ValueError,
    ["'default'", "rename"],
  ),
  (
    "collections",
    collecting("losses", "my_own"),
    ValueError,
    ["losses", "my_own", "drop_collections="],
  ),
  ("lookup_table", lambda: table, ValueError, ["lookup table", "module"]),
  ("numpy_function", lambda: python, ValueError, ["PyFunc", "F5"]),
  (
    "gradient_reversal",
    lambda: reversing,
    ValueError,
    ["gradients of their own", "allow_custom_gradients=True"],
  ),
]


def _check(action, exception, words):
  with pytest.raises(exception) as caught:
    action()
  message = str(caught.value)
  for word in words:
    assert word in message, message
  # The cure is told in words, not in a trace of TensorFlow's.
  assert "Traceback" not in message
  assert len(message) < 700


@pytest.mark.parametrize(
  ("fn", "exception", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in FUNCTIONS],
)
def test_function(fn, exception, words):
  _check(lambda: hie.make_feature_vector_module(fn(), 12, 10), exception, words)


ARGUMENTS = [
  ("height_0", {"height": 0}, ValueError, ["height is 0", "positive"]),
  ("height_-1", {"height": -1}, ValueError, ["height is -1", "positive"]),
  ("width_float", {"width": 10.0}, TypeError, ["width is 10.0", "float"]),
  ("width_text", {"width": "10"}, TypeError, ["width is '10'", "integer"]),
  ("height_bool", {"height": True}, TypeError, ["height is True"]),
  ("height_none", {"height": None}, TypeError, ["height is None"]),
  ("arch_name_type", {"arch_name": 3}, TypeError, ["arch_name is 3"]),
  ("arch_name_slash", {"arch_name": "Net/"}, ValueError, ["Net/", "slashes"]),
  ("endpoints_text", {"endpoints": "conv"}, TypeError, ["'conv'", "list"]),
  ("endpoints_type", {"endpoints": [3]}, TypeError, ["endpoints", "strings"]),
  ("preprocess", {"preprocess": "torche"}, ValueError, ["torche", "'torch'"]),
  ("preprocess_type", {"preprocess": 3}, TypeError, ["preprocess is 3"]),
  ("preprocess_pair", {"preprocess": (1,)}, ValueError, ["(mean, std)"]),
  ("preprocess_0", {"preprocess": (0.5, 0.0)}, ValueError, ["zero"]),
  ("preprocess_255", {"preprocess": (127.5, 127.5)}, ValueError, ["255"]),
  ("variable_size", {"variable_size": 1}, TypeError, ["True or False"]),
  ("training", {"training": "yes"}, TypeError, ["training is 'yes'"]),
  ("training_true", {"training": True}, ValueError, ["is_training", "F2"]),
  ("momentum", {"batch_norm_momentum": 0.9}, ValueError, ["0.9", "True"]),
  ("momentum_2", {"batch_norm_momentum": 2.0}, ValueError, ["[0, 1]"]),
  (
    "momentum_without_batch_norm",
    {"batch_norm_momentum": True},
    ValueError,
    ["batch_norm_momentum", "H1"],
  ),
  ("drop_text", {"drop_collections": "losses"}, TypeError, ["list"]),
  *(
    (
      f"drop_{name}",
      {"drop_collections": ["losses", name]},
      ValueError,
      [name, "Leave them out"],
    )
    for name in ("variables", "update_ops", "regularization_losses")
  ),
]


@pytest.mark.parametrize(
  ("arguments", "exception", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in ARGUMENTS],
)
def test_argument(arguments, exception, words):
  arguments = {"height": 12, "width": 10, **arguments}
  _check(
    lambda: hie.make_feature_vector_module(ok, **arguments), exception, words
  )


CLASSIFICATION = [
  ("num_classes", {"num_classes": 4}, ["num_classes is 4", "3 scores"]),
  ("num_classes_0", {"num_classes": 0}, ["num_classes is 0", "positive"]),
  ("background", {"num_classes": 2}, ["3 scores", "background", "1001"]),
  ("no_background", {"num_classes": 4}, ["1000", "1001"]),
  ("labels", {"labels": ["a", "b"]}, ["2 labels", "3 classes", "1001"]),
  ("labels_twice", {"labels": ["a", "b", "a"]}, ["0 and 2", "'a'"]),
  ("labels_blank", {"labels": ["a", " ", "c"]}, ["label 1 is blank"]),
  ("labels_none", {"labels": []}, ["there are none"]),
  ("labels_file", {"labels": "/no/such/file"}, ["/no/such/file", "read"]),
]


@pytest.mark.parametrize(
  ("arguments", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in CLASSIFICATION],
)
def test_classification(arguments, words):
  _check(
    lambda: hie.make_classification_module(ok, 12, 10, **arguments),
    ValueError,
    words,
  )


def test_an_option_that_does_not_exist():
  _check(
    lambda: hie.make_classification_module(ok, 12, 10, arch_nam="Net"),
    TypeError,
    ["arch_nam", "arch_name"],
  )


SEVERAL_TASKS = [
  ("task", ok, {"default_task": "image_clasification"}, ValueError,
   ["image_clasification", "Did you mean 'image_classification'"]),
  ("tensor", ok, {"default_task": CLASSES}, TypeError, ["signature names"]),
  ("spelling", lambda x: {"image_feature-vector": ok(x)},
   {"default_task": FEATURES}, ValueError, ["image_feature-vector", FEATURES]),
  ("no_task", lambda x: {"a": ok(x)}, {"default_task": FEATURES},
   ValueError, ["['a']", CLASSES]),
  ("default_not_there", lambda x: {FEATURES: ok(x)},
   {"default_task": CLASSES}, ValueError, [CLASSES, "expected it among them"]),
  ("labels_without_classes", lambda x: {FEATURES: ok(x)},
   {"default_task": FEATURES, "labels": ["a", "b", "c"]}, ValueError,
   ["labels", CLASSES]),
  ("feature_layer_type", ok, {"default_task": CLASSES, "feature_layer": 3},
   TypeError, ["feature_layer is 3", "name"]),
]  # fmt: skip


@pytest.mark.parametrize(
  ("fn", "arguments", "exception", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in SEVERAL_TASKS],
)
def test_several_tasks(fn, arguments, exception, words):
  _check(
    lambda: hie.make_image_module(fn, 12, 10, **arguments), exception, words
  )


def _keras():
  return models.by_name("functional").make().fn


def test_unknown_layers_are_told_with_the_nearest():
  _check(
    lambda: hie.make_feature_vector_module(_keras(), 12, 10, endpoints=["cnv"]),
    ValueError,
    ["endpoints", "'cnv'", "conv"],
  )
  _check(
    lambda: hie.make_image_module(
      _keras(), 12, 10, default_task=CLASSES, feature_layer="poool"
    ),
    ValueError,
    ["feature_layer", "'poool'", "pool"],
  )


def test_endpoints_that_collide_after_the_prefix():
  def fn(images):
    return ok(images), {"a": images, "Net/a": images}

  _check(
    lambda: hie.make_feature_vector_module(fn, 12, 10, arch_name="Net"),
    ValueError,
    ["'Net/a'", "C10"],
  )


def test_essential_words_of_training_that_is_not_there():
  source = models.by_name("inference_only").make()
  _check(
    lambda: hie.make_feature_vector_module(source.fn, 12, 10, training=True),
    ValueError,
    ["no is_training", "F2"],
  )
  _check(
    lambda: hie.make_feature_vector_module(
      lambda images, is_training: ok(images), 12, 10, training=True
    ),
    ValueError,
    ["the same for training as for inference", "F2"],
  )


@pytest.mark.parametrize(
  "fn", [without_batch_norm, lambda: ignoring_momentum], ids=["none", "ignored"]
)
def test_momentum_that_changes_nothing(fn):
  _check(
    lambda: hie.make_feature_vector_module(
      fn(), 12, 10, batch_norm_momentum=True
    ),
    ValueError,
    ["does not use the momentum", "H1"],
  )


def test_a_width_that_depends_on_the_size():
  def flattening(images):
    return tf.reshape(images, [-1, images.shape[1] * images.shape[2] * 3])

  def fixed(images):
    return tf.reshape(images, [-1, 360])

  for fn, error in ((flattening, Exception), (fixed, ValueError)):
    with pytest.raises(error):
      hie.make_feature_vector_module(fn, 12, 10, variable_size=True)


def test_custom_gradients_can_be_accepted():
  spec = hie.make_feature_vector_module(
    reversing, 12, 10, allow_custom_gradients=True
  )
  assert len(spec.get_tags()) == 2


def test_refused_collections_can_be_dropped():
  hie.make_feature_vector_module(
    collecting("losses")(), 12, 10, drop_collections=["losses"]
  )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(value, tmp_path):
  net = function_sources.Net()
  net.mean.assign([value] * 5)
  spec = hie.make_feature_vector_module(net, 12, 10)
  _check(
    lambda: spec.export(tmp_path / "module"),
    hie.WeightsError,
    ["net/mean", "NaN or infinite"],
  )
  assert not list(tmp_path.iterdir())


def test_nothing_is_written_for_an_output_that_is_not_finite(tmp_path):
  spec = hie.make_feature_vector_module(lambda x: ok(x) / 0.0, 12, 10)
  _check(
    lambda: spec.export(tmp_path / "module"),
    hie.VerificationError,
    ["NaN or infinite", "preprocess"],
  )
  assert not list(tmp_path.iterdir())
