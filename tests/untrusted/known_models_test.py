# SPDX-License-Identifier: Apache-2.0
"""No model of Keras' own layers is refused: Applications, ours, examples."""

from __future__ import annotations

import json
import zipfile

import h5py
import pytest

from examples import digits_network
from hub_image_export.sources import applications
from hub_image_export.tensorflow_api import keras_packages
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted.keras_files import refuse_keras_code
from tests.support import models


def _refused_nowhere(model, directory):
  """Judges files of both formats with all of a model but its weights."""
  described = tf.keras.utils.serialize_keras_object(model)
  with zipfile.ZipFile(directory / "model.keras", "w") as archive:
    archive.writestr("config.json", json.dumps(described))
  with h5py.File(directory / "model.h5", "w") as file:
    file.attrs["model_config"] = model.to_json()
  for name in ("model.keras", "model.h5"):
    refuse_keras_code(str(directory / name))


def _is_of_keras_alone(model):
  return isinstance(model, tf.keras.Model) and all(
    type(layer).__module__.partition(".")[0] in ("keras", "tf_keras")
    for layer in keras_packages.layers_within(model)
  )


def _one_of_each_family():
  """The smallest by its images; those of a family have the same layers."""
  known = [applications.get(name) for name in applications.names()]
  known.sort(key=lambda application: (application.height, application.name))
  return sorted({a.family: a.name for a in reversed(known)}.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", _one_of_each_family())
def test_applications(name, tmp_path):
  builder = applications.get(name).builder
  _refused_nowhere(builder(weights=None), tmp_path)
  tf.keras.backend.clear_session()


def test_models_of_the_registry(tmp_path):
  judged = []
  for model in models.ALL:
    fn = model.make_source(str(tmp_path)).fn
    if _is_of_keras_alone(fn):
      _refused_nowhere(fn, tmp_path)
      judged.append(model.name)
  assert len(judged) >= 5, judged


def test_the_example(tmp_path):
  _refused_nowhere(digits_network.build(), tmp_path)
