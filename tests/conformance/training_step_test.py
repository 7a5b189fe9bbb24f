# SPDX-License-Identifier: Apache-2.0
"""F4: a module trains as its source does, wherever it is loaded.

Three steps of a consumer in a fresh process, and in TF 1.15 where the variant
says that it works there: outputs, new values of all variables, the sum of the
penalties and gradients are those of the source's own steps.
"""

from __future__ import annotations

import pathlib
import shutil
import sys

import numpy as np
import pytest

import hub_image_export as hie
from tests.support import fresh_process, models, tf115, training_steps
from tests.support.consumer import random_images
from tests.support.live import EagerLive
from tests.support.state_sources import SHAPE, SOURCES

pytestmark = pytest.mark.slow

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PROGRAM = "training_steps_probe.py"
_STEPS, _BATCH_SIZE = 3, 4
# Their gradients are recomputed, which no module can do.
_CUSTOM = {"recomputed"}
# Random steps, and those of classifiers, whose softmax was taken off, are
# compared by verification alone; so are functions that make Keras layers, and
# what the builder loads by itself.
_MODELS = {
  model.name: model
  for model in models.TRAINING
  if model.default_task == training_steps.TASK
  and not model.is_random
  and model.name
  not in ("builds_keras_layers", "tf1_layers", "mixed_float16", "saved_path")
}
CASES = [*SOURCES, *_MODELS]


class _Case:
  """A source's steps, and the module that was made of it."""

  def __init__(self, name, directory, batches):
    if name in SOURCES:
      self.source = SOURCES[name]()
      spec = hie.make_feature_vector_module(
        self.source.fn, *SHAPE[:2], allow_custom_gradients=name in _CUSTOM
      )
    else:
      place = directory / f"sources of {name}"
      place.mkdir()
      self.source = _MODELS[name].make_source(str(place))
      spec = _MODELS[name].build(self.source.fn)
    self.summary = spec.export(directory / name)
    of_tf2 = directory / "saved_models"
    of_tf2.mkdir(exist_ok=True)
    self.of_saved_model = spec.export_saved_model(of_tf2 / name)
    self.oldest = spec.function.variants[-1].oldest_tensorflow
    self.steps = training_steps.of_source(self.source, spec, batches)
    self.penalties = None
    if self.source.call is not None:
      live = EagerLive(self.source, training_steps.TASK)
      self.penalties = sum(live.penalties())


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
  """All modules, exported with verification, in one directory."""
  directory = tmp_path_factory.mktemp("trained")
  batches = np.stack(
    [random_images(_BATCH_SIZE, *SHAPE[:2], seed=i) for i in range(_STEPS)]
  )
  np.save(directory / "images.npy", batches)
  return directory, {
    name: _Case(name, directory, list(batches)) for name in CASES
  }


def _run(python, directory):
  return fresh_process.run_program(python, _PROGRAM, directory, _ROOT)


@pytest.fixture(scope="module")
def here(cases):
  """Results of a fresh process with this TensorFlow."""
  return _run(sys.executable, cases[0])


@pytest.fixture(scope="module")
def there(cases, tmp_path_factory):
  """Results of TensorFlow 1.15."""
  directory, known = cases
  copies = tmp_path_factory.mktemp("tf115")
  shutil.copy(directory / "images.npy", copies)
  for name, case in known.items():
    if case.oldest == "1.15":
      shutil.copytree(directory / name, copies / name)
  return _run(tf115.PYTHON, copies)


def _assert_trains_as(directory, name, case):
  error = directory / f"{name}.error"
  assert not error.exists(), error.read_text()
  found = []
  with np.load(directory / f"{name}.npz") as arrays:
    for i in range(_STEPS):
      named = {k: v for k, v in arrays.items() if k.startswith(f"{i}|")}
      found.append(
        training_steps.Step(
          named[f"{i}|outputs"],
          _of_kind(named, "gradient"),
          _of_kind(named, "value"),
        )
      )
    if case.penalties is not None:
      np.testing.assert_allclose(
        arrays["0|penalties"], case.penalties, rtol=1e-5
      )
  training_steps.assert_same(found, case.steps)


def _of_kind(named, kind):
  return {
    key.split("|", 2)[2]: value
    for key, value in named.items()
    if key.split("|")[1] == kind
  }


@pytest.mark.parametrize("name", CASES)
def test_verified_without_reserve(name, cases):
  _assert_compared(cases[1][name].summary)


@pytest.mark.parametrize("name", CASES)
def test_verified_as_a_saved_model(name, cases):
  _assert_compared(cases[1][name].of_saved_model)


def _assert_compared(summary):
  kinds = {(d.variant, d.kind) for d in summary.differences}
  assert {("inference", "output"), ("train", "output")} <= kinds
  assert ("train", "variable") in kinds
  assert summary.notes == []


@pytest.mark.parametrize("name", CASES)
def test_in_a_fresh_process(name, cases, here):
  _assert_trains_as(here, name, cases[1][name])


@tf115.needs_tf115
@pytest.mark.parametrize("name", CASES)
def test_in_tensorflow_1(name, cases, there):
  case = cases[1][name]
  if case.oldest != "1.15":
    pytest.skip(f"It needs TensorFlow {case.oldest}, and says so.")
  _assert_trains_as(there, name, case)
