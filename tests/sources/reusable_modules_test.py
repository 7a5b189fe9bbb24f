# SPDX-License-Identifier: Apache-2.0
"""Reusable SavedModels as sources: TF2 to TF1 and back, with nothing lost."""

from __future__ import annotations

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models, reusable_probe

_NAMES = ("functional", "two_tasks", "tf1", "inference_only", "feature_layer")
_WITH_MOMENTUM = {"functional"}


class _Case:
  """A model, what was written of it, and what was made of that."""

  def __init__(self, name, directory):
    self.model = models.by_name(name)
    source = self.model.make_source(str(directory))
    momentum = {"batch_norm_momentum": name in _WITH_MOMENTUM}
    self.spec = self.model.build(source.fn, **momentum)
    self.path = directory / "first"
    self.spec.export_saved_model(self.path, verify=False)
    options = {k: v for k, v in self.model.options.items() if k != "endpoints"}
    options.pop("feature_layer", None)
    again = models.dataclasses.replace(self.model, options=options)
    self.again = again.build(str(self.path), **momentum)
    self.hub = self.again.export(directory / "hub")
    self.back = directory / "back"
    self.saved = self.again.export_saved_model(self.back)


@pytest.fixture(scope="module", params=_NAMES)
def case(request, tmp_path_factory):
  return _Case(request.param, tmp_path_factory.mktemp(request.param))


def test_both_formats_are_verified(case):
  assert case.hub.verified and case.saved.verified
  assert set(case.hub.variants) == {
    "inference", *(["train"] if case.model.trains else []),
  }  # fmt: skip


def test_nothing_is_lost(case):
  before, after = case.spec.function, case.again.function
  assert {v.name for v in after.variables} == {v.name for v in before.variables}
  assert {v.name: v.trainable for v in after.variables} == {
    v.name: v.trainable for v in before.variables
  }
  for first, second in zip(before.variants, after.variants):
    assert set(second.tasks) == set(first.tasks)
    assert set(second.endpoints) == set(first.endpoints)
    assert len(second.updates) == len(first.updates)
    assert len(second.penalties) == len(first.penalties)
  assert case.again.get_signature_names() == case.spec.get_signature_names()


def _trained(path, model):
  """Values after a step of each task, and what came before."""
  obj = tf.saved_model.load(str(path))
  batch = reusable_probe.images(0, *model.height_and_width)
  found = {"default": obj(batch).numpy()}
  if not model.is_random:
    obj(batch, training=True)
    found.update((v.name.partition(":")[0], v.numpy()) for v in obj.variables)
  return found


def test_there_and_back_it_is_the_same(case):
  first, last = (_trained(p, case.model) for p in (case.path, case.back))
  assert first.keys() == last.keys()
  for name, value in first.items():
    np.testing.assert_allclose(last[name], value, rtol=1e-4, atol=1e-5)


def test_what_tasks_share_is_there_once(tmp_path):
  """All but draws: each call has its own."""
  model = models.by_name("two_tasks")
  spec = model.build(model.make_source("").fn)
  spec.export_saved_model(tmp_path / "module", verify=False)
  again = model.build(str(tmp_path / "module"))
  before, after = spec.function.inference, again.function.inference
  convolutions = [
    sum(node.op == "Conv2D" for node in variant.graph_def.node)
    for variant in (before, after)
  ]
  assert convolutions[0] == convolutions[1] > 0
