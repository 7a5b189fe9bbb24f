# SPDX-License-Identifier: Apache-2.0
"""What builders do around the network, and what they tell their user."""

from __future__ import annotations

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.sources import preprocessing
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import messages_of, warnings_of
from tests.support import function_sources, keras_sources, models
from tests.support.consumer import Consumer, random_images

IMAGES = random_images(2, 12, 10)


@pytest.mark.parametrize(
  "preprocess",
  [*preprocessing.MODES, (0.5, (0.1, 0.2, 0.3)), lambda x: 1.0 - x],
)
def test_preprocessing_is_part_of_the_module(preprocess):
  """C12: consumers give [0, 1], the network gets what it wants."""
  net = function_sources.Net()
  spec = hie.make_feature_vector_module(net, 12, 10, preprocess=preprocess)
  consumer = Consumer(spec)
  found = consumer.run(consumer.outputs["default"]["default"], IMAGES)
  expected = net(preprocessing.resolve(preprocess)(tf.constant(IMAGES)))
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_rescaling_twice_is_warned_of(caplog):
  model = keras_sources.sequential().fn

  def build(preprocess):
    hie.make_feature_vector_module(model, 12, 10, preprocess=preprocess)

  messages = warnings_of(caplog, lambda: build("tf"))
  assert any("rescaling" in m and "'tf'" in m for m in messages)
  assert not warnings_of(caplog, lambda: build(None))


def test_a_model_that_takes_bytes_wants_bytes(caplog):
  layers = tf.keras.layers
  model = tf.keras.Sequential(
    [
      tf.keras.Input((12, 10, 3)),
      layers.Rescaling(1 / 255),
      layers.GlobalAveragePooling2D(),
    ]
  )

  def build(preprocess):
    hie.make_feature_vector_module(model, 12, 10, preprocess=preprocess)

  assert not warnings_of(caplog, lambda: build("0-255"))
  messages = warnings_of(caplog, lambda: build(None))
  assert any("preprocess='0-255'" in m for m in messages)
  assert any(m.startswith("No preprocess is given") for m in messages)


def test_an_averaged_feature_layer_is_told(caplog):
  model = models.by_name("feature_layer")
  fn = model.make().fn
  messages = messages_of(caplog, lambda: model.build(fn))
  assert any("'map'" in m and "averaged" in m for m in messages)


@pytest.mark.parametrize("name", ["tf1", "subclassed_not_built"])
def test_initial_values_are_warned_of_once(name, caplog, tmp_path):
  """Those of a TF1 function, and of a Keras model that nobody has called."""
  model = models.by_name(name)
  spec = model.build(model.make().fn)

  def export(name, **more):
    spec.export(tmp_path / name, verify=False, **more)

  messages = warnings_of(caplog, lambda: export("a"))
  assert len([m for m in messages if "initial values" in m]) == 1
  values = {v.name: v.read() for v in spec.function.variables}
  np.savez(tmp_path / "w.npz", **values)
  assert not warnings_of(
    caplog, lambda: export("b", checkpoint_path=tmp_path / "w.npz")
  )


def test_a_model_with_weights_is_built_without_a_warning(caplog):
  model = models.by_name("sequential")
  fn = model.make().fn
  assert not warnings_of(caplog, lambda: model.build(fn))


def test_sizes_may_be_numpys():
  spec = hie.make_feature_vector_module(
    function_sources.Net(), np.int64(12), np.int32(10)
  )
  assert list(hie.hub.get_expected_image_size(spec)) == [12, 10]
