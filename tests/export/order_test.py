# SPDX-License-Identifier: Apache-2.0
"""What builders take is one order, whichever builder takes it."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import hub_image_export as hie
from hub_image_export import contract
from hub_image_export.export.order import Options, Order

_SHARED = set(Options.__annotations__)


def _order(options=None, **others):
  return Order.of(
    12,
    10,
    options or {},
    **{
      "tasks": None,
      "default_task": contract.IMAGE_CLASSIFICATION,
      **others,
    },
  )


def test_shared_options_are_those_of_the_builder_that_spells_them_out():
  """Type checkers and the other builders know them from `Options`."""
  parameters = inspect.signature(hie.make_feature_vector_module).parameters
  spelt = {p.name: p for p in parameters.values() if p.kind is p.KEYWORD_ONLY}
  assert set(spelt) - {"feature_layer"} == _SHARED


def test_defaults_are_those_of_the_builder_that_spells_them_out():
  parameters = inspect.signature(hie.make_feature_vector_module).parameters
  spelt = _order({name: parameters[name].default for name in _SHARED})
  assert spelt == _order()


def test_every_option_is_a_field():
  assert {field.name for field in dataclasses.fields(Order)} > _SHARED


@pytest.mark.parametrize("name", ["tasks", "feature_layer", "labels", "height"])
def test_what_only_some_builders_take_is_no_shared_option(name):
  with pytest.raises(TypeError, match=f"no argument '{name}'"):
    _order({name: None})


def test_the_interface_is_what_was_asked_for():
  order = _order({"variable_size": True, "preprocess": "tf"}, labels=["a"])
  interface = order.interface
  assert (interface.height, interface.width) == (12, 10)
  assert interface.static_size == (None, None)
  assert interface.labels == ("a",)
  assert interface.preprocessing.startswith("tf: ")


def test_labels_and_num_classes_must_agree():
  with pytest.raises(ValueError, match="there are 1 labels"):
    _order(labels=["a"], num_classes=2)
