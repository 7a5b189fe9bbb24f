# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's switches back to TF1, in the user's file and in the process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from hub_image_export.sources import as_source, user_code
from hub_image_export.tensorflow_api.compat import tf
from tests.support.consumer import Consumer, random_images
from tests.support.live import GraphLive, Source

pytestmark = pytest.mark.slow
_SWITCHES = [
  "disable_v2_behavior",
  "disable_eager_execution",
  "disable_v2_tensorshape",
  "disable_tensor_equality",
]
_NET = """
import tensorflow.compat.v1 as tf
import numpy as np

{switch}
tf.placeholder_with_default(1.0, []) if not tf.executing_eagerly() else None

def net(images, is_training=False):
  depth = int(images.shape[3])
  batch = {batch}
  assert batch in (None, 3)
  kernel = tf.get_variable("kernel", [depth, 4])
  x = tf.reduce_mean(images, [1, 2])
  x = tf.matmul(x, kernel) * {{x: 2.0}}[x]
  mean = tf.get_variable("mean", [4], trainable=False)
  if is_training:
    step = mean.assign_sub(0.1 * (mean - tf.reduce_mean(x, 0)))
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, step)
  return x - mean
"""
_OF_SHAPES = ("disable_v2_behavior", "disable_v2_tensorshape")


def _net(switch: str, before: str = "") -> str:
  batch = "images.shape[0]" + (".value" if switch in _OF_SHAPES else "")
  return before + _NET.format(switch=f"tf.{switch}()", batch=batch)


def _run(program: str, directory) -> subprocess.CompletedProcess[str]:
  file = directory / "program.py"
  file.write_text(textwrap.dedent(program), "utf-8")
  return subprocess.run(
    [sys.executable, str(file)], capture_output=True, text=True, check=False
  )


def _assert_right(path: str, file: str) -> None:
  """The module computes what the file's function does in a TF1 graph."""
  images = random_images(3, 6, 5)
  fn = user_code.load(f"{file}:net")
  checkpoint = f"{path}/variables/variables"
  live = GraphLive(Source(fn, None, None), "image_feature_vector", checkpoint)
  consumer = Consumer(path)
  found = consumer.run(consumer.outputs["default"], images)["default"]
  expected = live.outputs(images)["image_feature_vector"]
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
  assert np.ptp(found) > 0


@pytest.mark.parametrize("switch", _SWITCHES)
def test_in_the_file(switch, tmp_path):
  """By command line, in a process of its own; here, where it is loaded, too."""
  file = tmp_path / "nets.py"
  file.write_text(_net(switch), "utf-8")
  path = str(tmp_path / "m")
  command = [
    sys.executable,
    *("-m", "hub_image_export.export_module", f"--model={file}:net"),
    *("--height=6", "--width=5", f"--export_path={path}"),
  ]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr
  assert re.search("Verified: *yes", done.stdout)
  _assert_right(path, str(file))
  assert tf.executing_eagerly()
  assert tf.TensorShape([3])[0] == 3


def test_in_a_package_that_the_file_imports(tmp_path, monkeypatch):
  (tmp_path / "a_switch.py").write_text(
    "import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n"
  )
  monkeypatch.setattr(sys, "path", list(sys.path))
  file = tmp_path / "nets.py"
  file.write_text(
    "import a_switch\ndef net(x): return x.shape[3].value", "utf-8"
  )
  net = user_code.load(f"{file}:net")
  assert net(tf.zeros([1, 2, 2, 3])) == 3
  assert tf.executing_eagerly()
  assert tf.TensorShape([3])[0] == 3


def test_a_module_is_loaded_again(tmp_path, monkeypatch):
  """Python runs its code once: what it asked for is remembered."""
  (tmp_path / "switched_nets.py").write_text(
    _net("disable_v2_behavior") + "\ndef other(x): return x.shape[3].value\n"
  )
  (tmp_path / "plain_nets.py").write_text("def other(x): return x.shape[3]\n")
  monkeypatch.setattr(sys, "path", list(sys.path))
  monkeypatch.chdir(tmp_path)
  for name in ("switched_nets:net", *["switched_nets:other"] * 2):
    fn = user_code.load(name)
  assert fn(tf.zeros([1, 2, 2, 3])) == 3
  assert user_code.load("plain_nets:other")(tf.zeros([1, 2, 2, 3])) == 3
  assert tf.executing_eagerly()


@pytest.mark.parametrize("base", ["object", "tf.Module"])
def test_an_object_that_is_called(base, tmp_path, monkeypatch):
  """As classes of networks are: with what the object has beside."""
  monkeypatch.setattr(sys, "path", list(sys.path))
  file = tmp_path / "nets.py"
  file.write_text(
    "import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\n"
    f"class Net({base}):\n"
    "  regularization_losses = [lambda: 1.0]\n"
    "  def __call__(self, x, is_training=False): return x.shape[3].value\n"
    "net = Net()\n"
  )
  source = as_source(user_code.load(f"{file}:net"), 2, 2)
  assert source.call(tf.zeros([1, 2, 2, 3])) == 3
  assert source.penalties() == [1.0]
  assert source.training_parameter == "is_training"
  assert "'Net'" in source.name


@pytest.mark.parametrize("switch", ["disable_v2_tensorshape"])
def test_in_a_process_that_stays_eager(switch, tmp_path):
  file = tmp_path / "nets.py"
  program = f"""
    v1 = tf.compat.v1
    labels = list("abcd")
    spec = hie.make_classification_module(net, 6, 5, labels=labels)
    spec.export("{tmp_path}/m", check=True)
    assert tf.TensorShape([3])[0].value == 3
    """
  file.write_text(_net(switch), "utf-8")
  done = _run(
    _net(switch, "import hub_image_export as hie\n") + textwrap.dedent(program),
    tmp_path,
  )
  assert done.returncode == 0, done.stderr
  _assert_right(f"{tmp_path}/m", str(file))


@pytest.mark.parametrize(
  "switch", ["disable_v2_behavior", "disable_eager_execution"]
)
def test_a_process_without_eager_execution_is_told_what_to_do(switch, tmp_path):
  program = f"""
    import hub_image_export as hie
    hie.hub
    import tensorflow.compat.v1 as tf
    tf.{switch}()
    for build in (
      lambda: hie.make_feature_vector_module(lambda x: x[:, 0, 0], 6, 5),
      lambda: hie.make_classification_module(lambda x: x[:, 0, 0], 6, 5),
    ):
      try:
        build()
      except hie.ImageExportError as error:
        print(error)
    """
  done = _run(program, tmp_path)
  assert done.returncode == 0, done.stderr
  assert done.stdout.count("export_module --model=file.py:name") == 2
  assert not os.path.exists("m")
