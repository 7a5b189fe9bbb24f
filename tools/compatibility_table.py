# SPDX-License-Identifier: Apache-2.0
"""Which TensorFlow can use modules made by which: writes docs/compatibility.md.

  python -m tools.compatibility_table --python=/venvs/tf215/bin/python \\
      --python=/venvs/tf221/bin/python \\
      --consumer=/venvs/tf115/bin/python

Each `--python` is an interpreter with this package's requirements: it makes a
module of the smallest member of each family of Keras Applications that its
Keras has, and then uses all modules. `--consumer`s only use them. Weights are
random, images have 96 x 96 pixels.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import tempfile

from absl import app, flags

_PYTHON = flags.DEFINE_multi_string("python", [], "Makes and uses modules.")
_CONSUMER = flags.DEFINE_multi_string("consumer", [], "Uses modules.")
_OUTPUT = flags.DEFINE_string("output", "docs/compatibility.md", "The table.")
_ONLY = flags.DEFINE_list("only", None, "Try these Applications only.")

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_MEMBERS = [
  "ConvNeXtTiny",
  "DenseNet121",
  "EfficientNetB0",
  "EfficientNetV2B0",
  "InceptionResNetV2",
  "InceptionV3",
  "MobileNet",
  "MobileNetV2",
  "MobileNetV3Small",
  "NASNetMobile",
  "RegNetX002",
  "RegNetY002",
  "ResNet50",
  "ResNetRS50",
  "ResNet50V2",
  "VGG16",
  "VGG19",
  "Xception",
]

_MAKE_MODULE = """
import sys
import numpy as np
import tensorflow as tf
import hub_image_export as hie
from hub_image_export import application_models, applications, preprocessing

name, directory = sys.argv[1:]
size = 96
if not applications.is_application(name):
  sys.exit(3)
application = applications.get(name)
tf.keras.utils.set_random_seed(0)
model, _ = application_models.build(
  application, task="feature_vector", weights="random", height=size, width=size
)
spec = hie.make_feature_vector_module(
  model, size, size, preprocess=application.preprocess
)
summary = spec.export(directory + "/module", verify=False)
images = np.random.RandomState(0).uniform(size=[2, size, size, 3])
images = images.astype(np.float32)
pixels = preprocessing.resolve(application.preprocess)(tf.constant(images))
np.save(directory + "/images.npy", images)
np.save(directory + "/features.npy", model(pixels, training=False).numpy())
"""
_VERSION = "import tensorflow as tf; print(tf.__version__)"


def _run(python: str, *arguments: str) -> subprocess.CompletedProcess:
  return subprocess.run(
    [python, *arguments],
    cwd=_ROOT,
    env={**os.environ, "PYTHONPATH": str(_ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    capture_output=True,
    text=True,
  )


def _version(python: str) -> str:
  return _run(python, "-c", _VERSION).stdout.split()[-1]


def _make_modules(python: str, directory: pathlib.Path) -> dict[str, str]:
  """From the names of Applications to the paths of modules."""
  found = {}
  for name in _ONLY.value or _MEMBERS:
    place = directory / name
    place.mkdir(parents=True)
    done = _run(python, "-c", _MAKE_MODULE, name, str(place))
    if done.returncode == 3:
      continue
    if done.returncode:
      raise RuntimeError(f"{name} with {python}: {done.stderr[-2000:]}")
    found[name] = str(place / "module")
    print("made", name, flush=True)
  return found


def _try(python: str, paths: list[str]) -> dict[str, dict[str, str]]:
  results = {}
  for path in paths:  # One process each: a crash costs one row.
    done = _run(python, "tools/try_modules.py", path)
    if done.returncode:
      results[path] = {"inference": "crash", "train": "crash"}
    else:
      results.update(json.loads(done.stdout.splitlines()[-1]))
  return results


def _cell(results: dict[str, str]) -> str:
  problems = [f"{k}: {v}" for k, v in sorted(results.items()) if v != "ok"]
  works = [k for k, v in sorted(results.items()) if v == "ok"]
  return "; ".join([*([" and ".join(works)] if works else []), *problems])


def _table(authors, consumers, results) -> list[str]:
  lines = [
    "| Application | made by TF | "
    + " | ".join(f"used by TF {version}" for version in consumers)
    + " |",
    "|---" * (2 + len(consumers)) + "|",
  ]
  names = sorted({name for modules in authors.values() for name in modules})
  for name in names:
    for author, modules in authors.items():
      if name in modules:
        cells = [_cell(results[c][modules[name]]) for c in consumers]
        lines.append(f"| {name} | {author} | " + " | ".join(cells) + " |")
  return lines


def main(argv):
  del argv
  with tempfile.TemporaryDirectory() as folder:
    authors, results = {}, {}
    for python in _PYTHON.value:
      version = _version(python)
      authors[version] = _make_modules(python, pathlib.Path(folder) / version)
    paths = [p for modules in authors.values() for p in modules.values()]
    for python in [*_CONSUMER.value, *_PYTHON.value]:
      version = _version(python)
      results[version] = _try(python, paths)
      print("tried with", version, flush=True)
  table = _table(authors, sorted(results), results)
  (_ROOT / _OUTPUT.value).write_text(
    "# Which TensorFlow can use which module\n\n"
    "Generated by `tools/compatibility_table.py`, which tells how. In the "
    "cells are the variants\nthat work: `inference` gives the features of the "
    "source to 1e-4 of their scale; `train` has finite\ngradients for all "
    "trainable variables, and moves all moving averages by `UPDATE_OPS`.\n\n"
    + "\n".join(table)
    + "\n",
    "utf-8",
  )


if __name__ == "__main__":
  app.run(main)
