# SPDX-License-Identifier: Apache-2.0
"""Grouped convolutions are whole where that can be, and split where not.

TensorFlow's CPU kernels compute none without oneDNN, which is a choice for the
process: each case has one.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
_ROOT = pathlib.Path(__file__).resolve().parents[2]
_PROGRAM = """
import json
import sys

import hub_image_export as hie
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models

layers = tf.keras.layers
inputs = tf.keras.Input((12, 10, 3))
x = layers.Conv2D(4, 1)(inputs)
x = layers.BatchNormalization()(layers.Conv2D(4, 3, groups=2)(x))
model = tf.keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
spec = hie.make_feature_vector_module(model, 12, 10)
found = {"whole": known_ops.groups_run_here()}
for name, options in (("default", {}), ("split", {"split_groups": True})):
  path = f"{sys.argv[1]}/{name}"
  summary = spec.export_saved_model(path, **options)
  library = saved_models.parse(path).meta_graphs[0].graph_def.library
  ops = [[n.op for n in f.node_def] for f in library.function]
  count = max(each.count("Conv2D") for each in ops)
  found[name] = [count, sorted(set(summary.variants.values()))]
found["version"] = tf.__version__.rpartition(".")[0]
print(json.dumps(found))
"""


@pytest.mark.parametrize("onednn", ["0", "1"])
def test_whole_where_the_cpu_computes_them(onednn, tmp_path):
  done = subprocess.run(
    [sys.executable, "-c", _PROGRAM, str(tmp_path)],
    env={
      **os.environ,
      "PYTHONPATH": str(_ROOT),
      "TF_ENABLE_ONEDNN_OPTS": onednn,
    },
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert done.returncode == 0, done.stderr[-3000:]
  found = json.loads(done.stdout.splitlines()[-1])
  split, whole = [3, ["1.15"]], [2, [found["version"]]]
  assert found["split"] == split
  assert found["default"] == (whole if found["whole"] else split)
  assert onednn == "1" or not found["whole"]
  assert ("stay whole" in done.stderr) == found["whole"]
  assert ("group by group" in done.stderr) != found["whole"]
  assert "retracing" not in done.stderr
