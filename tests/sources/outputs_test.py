# SPDX-License-Identifier: Apache-2.0
"""One of several outputs is chosen by its name, whatever the source is."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer, random_images
from tests.support.keras_sources import (
  HAS_KERAS_2,
  HEIGHT,
  SHAPE,
  WIDTH,
  keras,
  layers,
)

_IMAGES = random_images(2, HEIGHT, WIDTH)
_MEANS = _IMAGES.mean((1, 2))
_SPEC = tf.TensorSpec([None, *SHAPE])


def _means(images):
  return tf.reduce_mean(images, [1, 2])


def _keras_model(make_outputs):
  inputs = keras.Input(SHAPE)
  x = layers.GlobalAveragePooling2D()(inputs)
  means = layers.Rescaling(1.0, name="means")(x)
  return keras.Model(
    inputs, make_outputs(layers.Dense(4, name="scores")(x), means)
  )


def _by_keras(directory):
  path = str(directory / "keras")
  model = _keras_model(lambda scores, means: [scores, means])
  if HAS_KERAS_2:
    model.save(path)
  else:
    model.export(path, verbose=False)
  return path


def _saved(directory, **functions):
  """A SavedModel with these functions as its signatures."""
  module = tf.Module()
  signatures = {}
  for name, function in functions.items():
    traced = tf.function(function, input_signature=[_SPEC])
    setattr(module, name, traced)
    signatures[name] = traced
  path = str(directory / "saved")
  tf.saved_model.save(module, path, signatures=signatures)
  return path


def _callable(directory):
  module = tf.Module()
  module.__call__ = tf.function(
    lambda x: {"means": _means(x), "more": _means(x) + 1},
    input_signature=[_SPEC],
  )
  tf.saved_model.save(module, str(directory / "callable"))
  return str(directory / "callable")


def _hub_module(directory):
  hie.make_image_module(
    lambda x: {
      "image_classification": _means(x) + 1,
      "image_feature_vector": _means(x),
    },
    HEIGHT,
    WIDTH,
    default_task="image_classification",
  ).export(directory / "hub", verify=False)
  return hie.hub.load_module_spec(str(directory / "hub"))


def _two(x):
  return {"more": _means(x) + 1, "means": _means(x)}


_SOURCES = [
  ("means", lambda d: _keras_model(lambda s, m: [s, m])),
  ("means", lambda d: _keras_model(lambda s, m: {"scores": s, "means": m})),
  ("b", lambda d: _keras_model(lambda s, m: {"a": s, "b": m})),
  ("means", lambda d: _keras_model(lambda s, m: m)),
  ("1", lambda d: lambda x: (_means(x) + 1, _means(x))),
  ("1", lambda d: lambda x: [_means(x) + 1, _means(x), x]),
  ("means", lambda d: _two),
  ("hidden", lambda d: lambda x: (_means(x) + 1, {"hidden": _means(x)})),
  ("default", lambda d: lambda x: (_means(x), {"hidden": x})),
  ("1" if HAS_KERAS_2 else "output_1", _by_keras),
  (
    "serving_default/means" if HAS_KERAS_2 else "serving_default/output_1",
    _by_keras,
  ),
  ("means", lambda d: _saved(d, serving_default=_two)),
  ("mine", lambda d: _saved(d, serving_default=_two, mine=_means)),
  ("mine/means", lambda d: _saved(d, a=_means, mine=_two)),
  ("means", _callable),
  ("serving_default/means", _callable),
  ("image_feature_vector", _hub_module),
]


@pytest.mark.parametrize(
  ("output", "make"),
  [pytest.param(*source, id=str(i)) for i, source in enumerate(_SOURCES)],
)
def test_it_is_the_one_that_is_asked_for(output, make, tmp_path):
  fn = make(tmp_path)
  spec = hie.make_feature_vector_module(fn, HEIGHT, WIDTH, output=output)
  spec.export(tmp_path / "module")
  consumer = Consumer(str(tmp_path / "module"))
  found = consumer.run(consumer.outputs["default"]["default"], _IMAGES)
  np.testing.assert_allclose(found, _MEANS, rtol=1e-5)


def test_scores_of_classes_beside_a_layer_of_features():
  model = _keras_model(lambda scores, means: [means, scores])
  spec = hie.make_image_module(
    model,
    HEIGHT,
    WIDTH,
    default_task="image_classification",
    output="scores",
    feature_layer="means",
  )
  assert spec.function.widths == {
    "image_classification": 4,
    "image_feature_vector": 3,
  }


@pytest.mark.parametrize(
  ("make", "words"),
  [
    (
      lambda d: _keras_model(lambda s, m: [s, m]),
      ["'scores' (None, 4), 'means' (None, 3)", "output='scores'"],
    ),
    (lambda d: _two, ["'more' (None, 3), 'means' (None, 3)", "output="]),
    (  # The best class is no task.
      lambda d: lambda x: {"best": tf.argmax(_means(x), 1), **_two(x)},
      ["'best' (None,)", "output='more'"],
    ),
    (lambda d: lambda x: (_means(x), x), ["'0' (None, 3)", "output='0'"]),
    (lambda d: _saved(d, serving_default=_two), ["'more' (None, 3)", "output"]),
    (lambda d: _saved(d, a=_two, b=_two), ["['a', 'b']", "output='a'"]),
  ],
)  # fmt: skip
def test_what_can_be_chosen_is_told(make, words, tmp_path):
  with pytest.raises((TypeError, ValueError)) as raised:
    hie.make_feature_vector_module(make(tmp_path), HEIGHT, WIDTH)
  for word in words:
    assert word in str(raised.value)


def test_what_is_not_there_is_told():
  model = _keras_model(lambda scores, means: [scores, means])
  with pytest.raises(ValueError, match=r"'scors': expected one of 'scores'"):
    hie.make_feature_vector_module(model, HEIGHT, WIDTH, output="scors")
