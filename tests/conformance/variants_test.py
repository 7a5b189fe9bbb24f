# SPDX-License-Identifier: Apache-2.0
"""F2: tags tell the variants apart; no training variant without difference."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api.compat import hub
from hub_image_export.tensorflow_api.protos import SavedModel
from tests.support import models


def test_tags(exported):
  expected = {frozenset(tags) for tags in exported.model.variants}
  for spec in (exported.spec, hub.load_module_spec(exported.path)):
    assert {frozenset(tags) for tags in spec.get_tags()} == expected


@pytest.mark.parametrize("model", models.TRAINING, ids=str)
def test_training_can_be_forbidden(model, exports):
  spec = model.build(exports(model).source.fn, training=False)
  assert [set(tags) for tags in spec.get_tags()] == [set()]


@pytest.mark.parametrize("name", ["control_flow", "adapted"])
def test_asking_for_training_is_an_error_where_nothing_differs(name, exports):
  model = models.by_name(name)
  with pytest.raises(ValueError, match="only if it differs"):
    model.build(exports(model).source.fn, training=True)


def test_penalties_alone_make_no_training_variant():
  keras = models.keras_sources.keras
  model = keras.Sequential(
    [
      keras.layers.InputLayer(models.keras_sources.SHAPE),
      keras.layers.Conv2D(2, 3, kernel_regularizer="l2"),
      keras.layers.GlobalAveragePooling2D(),
    ]
  )
  spec = models.by_name("sequential").build(model)
  assert [set(tags) for tags in spec.get_tags()] == [set()]


def test_no_device_is_written_down(exported):
  """A consumer may not have the author's devices."""
  proto = SavedModel()
  with open(f"{exported.path}/saved_model.pb", "rb") as file:
    proto.ParseFromString(file.read())
  for graph in proto.meta_graphs:
    functions = [f.node_def for f in graph.graph_def.library.function]
    for nodes in (graph.graph_def.node, *functions):
      assert {node.device for node in nodes} <= {""}
