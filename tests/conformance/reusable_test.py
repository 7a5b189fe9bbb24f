# SPDX-License-Identifier: Apache-2.0
"""Each source as a reusable SavedModel (T1 to T14), used in fresh processes.

`reusable_probe` holds what was written to the requirements, with nothing but
TensorFlow; here its numbers are compared with the source's own. The processes
have this TensorFlow, TensorFlow 1.15, and that of HIE_OTHER_PYTHON, a Python
with the other line: 2.15 where this one is 2.21, and the other way round.
"""

from __future__ import annotations

import json
import os
import shutil
import sys

import numpy as np
import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import fresh_process, models, reusable_probe, tf115
from tests.support.live import flat

pytestmark = pytest.mark.slow

_PROGRAM = "reusable_probe.py"
_OTHER_PYTHON = os.environ.get("HIE_OTHER_PYTHON")
_TRAINED = [
  model
  for model in models.TRAINING
  if model.default_task == models.FEATURES
  and not model.is_random
  and model.name
  not in (
    *("builds_keras_layers", "mixed_float16", "saved_path"),
    *("tf1", "tf1_layers"),
  )
]


@pytest.fixture(scope="module")
def written(exports, tmp_path_factory):
  """All models in one directory, and their summaries."""
  directory = tmp_path_factory.mktemp("reusable")
  summaries = {}
  for model in models.ALL:
    exported = exports(model)
    path = directory / model.name
    summaries[model.name] = exported.spec.export_saved_model(path)
    wanted = {
      "default_task": model.default_task,
      "endpoints": list(model.endpoints),
      "momentum": exported.spec.interface.bn_hparams,
      "tasks": list(model.width),
    }
    (directory / f"{model.name}.json").write_text(json.dumps(wanted))
  return directory, summaries


@pytest.fixture(scope="module")
def here(written):
  """Results of a fresh process with this TensorFlow."""
  return fresh_process.run_program(sys.executable, _PROGRAM, written[0])


@pytest.fixture(
  scope="module",
  params=[
    pytest.param(tf115.PYTHON, marks=tf115.SKIP, id="1.15"),
    pytest.param(
      _OTHER_PYTHON,
      marks=pytest.mark.skipif(
        not _OTHER_PYTHON,
        reason="HIE_OTHER_PYTHON does not name a Python with another TF 2.",
      ),
      id="other",
    ),
  ],
)
def there(request, written, tmp_path_factory):
  """Results of another TensorFlow, of the modules that it can use."""
  directory, summaries = written
  copies = tmp_path_factory.mktemp("reusable_there")
  for name, summary in summaries.items():
    if request.param != tf115.PYTHON or _loads_in_tf115(summary):
      shutil.copytree(directory / name, copies / name)
      shutil.copy(directory / f"{name}.json", copies)
  return fresh_process.run_program(request.param, _PROGRAM, copies)


def _loads_in_tf115(summary):
  return set(summary.variants.values()) == {"1.15"}


def _found(directory, model):
  if not (directory / model.name).exists():
    pytest.skip("It needs a later TensorFlow, and says so.")
  error = directory / f"{model.name}.error"
  assert not error.exists(), error.read_text()
  with np.load(directory / f"{model.name}.npz") as arrays:
    return dict(arrays)


def _assert_as_the_source(model, found, exports):
  """Outputs, names of variables, what a step moves, penalties."""
  exported = exports(model)
  batch = reusable_probe.images(0, *model.height_and_width).numpy()
  consumer = exported.consumer()
  for task in model.width:
    expected = consumer.run(consumer.outputs[task], batch)
    for key in (task, *model.endpoints):
      np.testing.assert_allclose(
        found[f"inference|{key}"],
        expected[key if key in expected else "default"],
        rtol=2e-3 if model.name == "mixed_float16" else 1e-4,
        atol=1e-5,
      )
  variables = {v.name for v in exported.spec.function.variables}
  assert set(found["names"]) == variables
  assert len(found["changed"]) == model.updates
  if model.penalties:
    np.testing.assert_allclose(
      found["penalties"], sum(exported.live.penalties()), rtol=1e-5
    )


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_conforms(model, here, exports):
  _assert_as_the_source(model, _found(here, model), exports)


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_conforms_there(model, there, exports):
  _assert_as_the_source(model, _found(there, model), exports)


def _assert_fine_tunes_as_the_source(model, found, exports):
  source, spec = exports(model).source, exports(model).spec
  variables = {v.name: v for v in spec.function.variables}
  before = {k: v.read().numpy() for k, v in variables.items()}
  size = model.height_and_width
  losses = getattr(source.owner, "losses", ())
  try:
    expected = reusable_probe.fine_tune(
      lambda x: flat(source.call(x, True), models.FEATURES)[models.FEATURES],
      [v.source for v in variables.values() if v.trainable],
      [] if callable(losses) or not losses
      else [lambda: tf.add_n(source.owner.losses)],
      [reusable_probe.images(i, *size) for i in range(reusable_probe.STEPS)],
    )  # fmt: skip
    after = {k: v.read().numpy() for k, v in variables.items()}
  finally:
    for name, value in before.items():
      variables[name].source.assign(value)
  np.testing.assert_allclose(found["losses"], expected, rtol=1e-4)
  for name, value in after.items():
    np.testing.assert_array_equal(found[f"first|{name}"], before[name])
    np.testing.assert_allclose(
      found[f"last|{name}"], value, rtol=1e-3, atol=1e-5, err_msg=name
    )


@pytest.mark.parametrize("model", _TRAINED, ids=str)
def test_fine_tunes_as_the_source(model, here, exports):
  _assert_fine_tunes_as_the_source(model, _found(here, model), exports)


@pytest.mark.parametrize("model", _TRAINED, ids=str)
def test_fine_tunes_there_as_the_source(model, there, exports):
  _assert_fine_tunes_as_the_source(model, _found(there, model), exports)
