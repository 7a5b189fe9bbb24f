# SPDX-License-Identifier: Apache-2.0
"""What a user may have becomes one function on images."""

from __future__ import annotations

import functools

import pytest

from hub_image_export.sources import as_source
from hub_image_export.tensorflow_api.compat import tf
from tests.support import saved_sources
from tests.support.keras_sources import SHAPE, keras, layers

IMAGES = tf.zeros([2, *SHAPE])


def source(fn):
  return as_source(fn, *SHAPE[:2])


def plain(images):
  return images


def with_is_training(images, is_training):
  return images


def with_training(images, training=False):
  return images


def with_keywords(images, **options):
  return images


def with_momentum(images, is_training, batch_norm_momentum=0.9):
  return images


class Callable:
  def __call__(self, images, is_training):
    return images


class OfModule(tf.Module):
  def __call__(self, images, training):
    return images

  def features(self, images, is_training):
    return images


@pytest.mark.parametrize(
  ("fn", "parameter", "momentum"),
  [
    (plain, None, False),
    (with_is_training, "is_training", False),
    (with_training, "training", False),
    (with_keywords, None, False),
    (with_momentum, "is_training", True),
    (lambda images, is_training: images, "is_training", False),
    (Callable(), "is_training", False),
    (OfModule(), "training", False),
    (OfModule().features, "is_training", False),
    (functools.partial(with_is_training, is_training=False), "is_training",
     False),
    (tf.function(with_training), "training", False),
    (tf.autograph.experimental.do_not_convert(with_training), "training",
     False),
  ],
)  # fmt: skip
def test_functions_are_asked_for_what_they_take(fn, parameter, momentum):
  found = source(fn)
  assert found.training_parameter == parameter
  assert found.takes_momentum == momentum


def test_functions_are_named_in_messages():
  assert source(plain).name == "function 'plain'"
  assert "Callable" in source(Callable()).name
  assert "'net'" in source(keras.Sequential(
    [keras.Input(SHAPE), layers.Flatten()], name="net"
  )).name  # fmt: skip


def test_a_layer_is_a_model():
  found = source(layers.GlobalAveragePooling2D())
  assert found.call(IMAGES, training=False).shape == (2, 3)


def test_a_model_is_built_for_the_size_it_is_asked_for():
  model = keras.Sequential([layers.Flatten(), layers.Dense(2)])
  source(model)
  assert model.layers[-1].built
  assert model(IMAGES).shape == (2, 2)


def _save(tmp_path, module, **options):
  path = str(tmp_path / "saved")
  tf.saved_model.save(module, path, **options)
  return path


def test_a_saved_model_with_call(tmp_path):
  path = str(tmp_path)
  found = source(saved_sources.saved_module(path).fn)
  assert found.training_parameter == "training"
  by_path = source(f"{path}/saved_module")
  assert by_path.training_parameter == "training"
  images = tf.random.uniform([2, *SHAPE])
  tf.debugging.assert_near(
    found.call(images, training=False), by_path.call(images, training=False)
  )


def _serving(*inputs, outputs=("output",)):
  module = tf.Module()
  specs = [tf.TensorSpec([None, *SHAPE], name=name) for name in inputs]

  @tf.function(input_signature=specs)
  def serve(*images):
    return {key: sum(tf.reduce_mean(x, [1, 2]) for x in images)
            for key in outputs}  # fmt: skip

  module.serve = serve
  return module


def test_a_saved_model_with_a_serving_signature(tmp_path):
  module = _serving("pixels")
  path = _save(tmp_path, module, signatures={"serving_default": module.serve})
  found = source(path)
  assert found.training_parameter is None
  assert found.call(IMAGES).shape == (2, 3)


def test_the_only_signature_serves(tmp_path):
  module = _serving("pixels")
  path = _save(tmp_path, module, signatures={"mine": module.serve})
  assert source(path).call(IMAGES).shape == (2, 3)


def test_several_outputs_of_a_signature_stay_a_dict(tmp_path):
  module = _serving("pixels", outputs=("default", "a"))
  path = _save(tmp_path, module, signatures={"mine": module.serve})
  assert set(source(path).call(IMAGES)) == {"default", "a"}


def test_signatures_that_cannot_be_chosen(tmp_path):
  module = _serving("pixels")
  signatures = {"a": module.serve, "b": module.serve}
  path = _save(tmp_path, module, signatures=signatures)
  with pytest.raises(ValueError, match=r"\['a', 'b'\].*serving_default"):
    source(path)


def test_signatures_with_several_inputs(tmp_path):
  module = _serving("pixels", "mask")
  path = _save(tmp_path, module, signatures={"mine": module.serve})
  with pytest.raises(ValueError, match="inputs.*pixels.*C13"):
    source(path)


def test_a_saved_model_without_anything_to_call(tmp_path):
  module = tf.Module()
  module.variable = tf.Variable(1.0)
  with pytest.raises(ValueError, match="cannot be called"):
    source(_save(tmp_path, module))


def test_a_directory_without_a_saved_model(tmp_path):
  with pytest.raises(ValueError, match="saved_model.pb"):
    source(tmp_path)
