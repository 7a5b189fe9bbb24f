# SPDX-License-Identifier: Apache-2.0
"""F1, F5: a module needs its directory, and nothing else."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest

from hub_image_export.tensorflow_api.protos import SavedModel
from tests.support import fresh_process, models
from tests.support.consumer import random_images


@pytest.fixture(scope="module")
def outputs(exports, tmp_path_factory):
  """What a fresh process computes with copies of the modules elsewhere."""
  directory = str(tmp_path_factory.mktemp("moved"))
  jobs = {}
  for model in models.ALL:
    path = os.path.join(directory, "a module elsewhere", model.name)
    shutil.copytree(exports(model).path, path)
    jobs[model.name] = {"path": path, "size": model.height_and_width}
  return fresh_process.run("outputs", jobs, directory)


@pytest.mark.slow
@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_a_fresh_process_computes_the_same(model, outputs, exports):
  found = outputs[model.name]
  assert "error" not in found, found
  images = random_images(2, *model.height_and_width)
  consumer = exports(model).consumer()
  here = consumer.run(consumer.outputs, images)
  expected = {f"{s}|{k}": v for s, o in here.items() for k, v in o.items()}
  assert found.keys() == expected.keys()
  for key, value in expected.items():
    np.testing.assert_allclose(found[key], value, rtol=1e-4, atol=1e-6)


def test_files(exported):
  path = exported.path
  files = {
    os.path.relpath(os.path.join(folder, name), path)
    for folder, _, names in os.walk(path)
    for name in names
  }
  checkpoint = {
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
  }
  expected = {"saved_model.pb", "tfhub_module.pb"}
  if exported.model.name != "no_variables":
    expected |= checkpoint
  # Every loader tolerates what is in assets.extra.
  files = {f for f in files if not f.startswith("assets.extra/")}
  assert files == expected


def test_nothing_of_the_authors_process_is_in_the_graph(exported):
  path = exported.path
  proto = SavedModel()
  with open(f"{path}/saved_model.pb", "rb") as file:
    content = file.read()
  proto.ParseFromString(content)
  for private in ("_gradient_op_type", "PyFunc", os.path.dirname(path)):
    assert private.encode() not in content
  for graph in proto.meta_graphs:
    for function in graph.graph_def.library.function:
      assert function.signature.name.startswith("function_")


def test_weights_are_not_in_the_graph(exported):
  proto = SavedModel()
  with open(f"{exported.path}/saved_model.pb", "rb") as file:
    proto.ParseFromString(file.read())
  for graph in proto.meta_graphs:
    for node in graph.graph_def.node:
      # Constants of these models are shapes, scales and per-channel numbers.
      assert node.ByteSize() < 1000, node.name
