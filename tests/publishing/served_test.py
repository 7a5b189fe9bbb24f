# SPDX-License-Identifier: Apache-2.0
"""Archives on a web server: found, cached and used by hub's own clients."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

import hub_image_export as hie
from tests.publishing import modules
from tests.publishing.server import serving
from tests.support import tf115
from tests.support.keras_sources import HAS_KERAS_2

_PROBE = pathlib.Path(__file__).with_name("served_probe.py")
_ROOT = _PROBE.parents[2]
# What hub asks for, where hosts redirect to, and what it adds to the URL.
_PATH, _MOVED = "/pets/1.tar.gz", "/resolve/main/pets-1.tar.gz"
_QUERY = "?tf-hub-format=compressed"
_HUB_0_16 = os.environ.get("HIE_HUB016_PATH")

pytestmark = pytest.mark.slow
needs_hub_0_16 = pytest.mark.skipif(
  not _HUB_0_16,
  reason="HIE_HUB016_PATH does not name a directory with tensorflow_hub 0.16 "
  "(pip install --no-deps --target).",
)


def _use(urls, way, folder, python=sys.executable, python_path=_ROOT):
  """Answers of a fresh process with a cache in `folder`; hub's version."""
  result = folder / "result.json"
  process = subprocess.run(
    [python, str(_PROBE), str(result), way, *urls],
    cwd=folder,
    env={
      **os.environ,
      "PYTHONPATH": str(python_path),
      "TFHUB_CACHE_DIR": str(folder / "cache"),
      "no_proxy": "*",
    },
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert process.returncode == 0, process.stderr[-4000:]
  return json.loads(result.read_text("utf-8"))


def _assert_used(module, archive, way, folder, **options):
  """Downloads once from each URL, uses twice; returns hub's version."""
  golden = json.loads((module / "assets.extra/golden.json").read_text("utf-8"))
  files = {_PATH: archive.read_bytes(), _MOVED: _PATH}
  with serving(files) as server:
    urls = [server.url(p) for p in (_PATH, _PATH + _QUERY, _MOVED)]
    found = [_use(urls, way, folder, **options) for _ in range(2)]
  paths = [request.partition("?")[0] for request in server.requests]
  assert sorted(paths) == sorted([_PATH, _PATH, _MOVED, _PATH])
  assert all(_QUERY[1:] in r for r in server.requests if _MOVED in r)
  for answer in [a for result in found for a in result["answers"]]:
    np.testing.assert_allclose(
      answer, golden["outputs"]["image_classification"], 1e-4, 1e-6
    )
  return found[0]["hub"]


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
  """The archive of the same module as a reusable SavedModel."""
  folder = tmp_path_factory.mktemp("saved_model")
  spec = modules.spec(labels=modules.LABELS)
  spec.export_saved_model(folder / "model")
  hie.write_archive(folder / "model", folder / "model.tar.gz")
  return folder / "model.tar.gz"


@pytest.mark.parametrize("way", ["module", "load", "open"])
def test_hub_0_15(way, module, archive, tmp_path):
  assert _assert_used(module, archive, way, tmp_path).startswith("0.15.")


@pytest.mark.skipif(
  not HAS_KERAS_2, reason="hub.KerasLayer of hub 0.15 is for Keras 2."
)
def test_keras_layer_of_hub_0_15(module, archive, tmp_path):
  assert _assert_used(module, archive, "layer", tmp_path).startswith("0.15.")


@pytest.mark.parametrize("way", ["call", *(["train"] if HAS_KERAS_2 else [])])
def test_saved_model_with_hub_0_15(way, module, saved_model, tmp_path):
  version = _assert_used(module, saved_model, way, tmp_path)
  assert version.startswith("0.15.")


@needs_hub_0_16
def test_saved_model_with_hub_0_16(module, saved_model, tmp_path):
  version = _assert_used(
    module, saved_model, "call", tmp_path, python_path=_HUB_0_16
  )
  assert version.startswith("0.16.")


@tf115.needs_tf115
@pytest.mark.parametrize("way", ["call", "train"])
def test_saved_model_with_tensorflow_1_15(way, module, saved_model, tmp_path):
  version = _assert_used(
    module, saved_model, way, tmp_path, python=tf115.PYTHON
  )
  assert version.startswith("0.12.")


@needs_hub_0_16
@pytest.mark.parametrize("way", ["load", "layer"])
def test_hub_0_16(way, module, archive, tmp_path):
  version = _assert_used(module, archive, way, tmp_path, python_path=_HUB_0_16)
  assert version.startswith("0.16.")


@tf115.needs_tf115
def test_hub_0_12_with_tensorflow_1_15(module, archive, tmp_path):
  version = _assert_used(
    module, archive, "module", tmp_path, python=tf115.PYTHON
  )
  assert version.startswith("0.12.")
