# SPDX-License-Identifier: Apache-2.0
r"""Compares every model of Keras Applications with the module made of it.

For each Application of the installed Keras, a module is exported, loaded with
`hub.Module` in a fresh graph and run on images in [0, 1]. Its outputs must be
those of Keras' own `preprocess_input` (on [0, 255]) followed by the model.
One training step of the module must be that of the model: the export's own
verification compares outputs, new values of variables and penalties. As there,
a difference counts for nothing if a change of 1e-6 in the images moves Keras
nearly as far: with random weights, deep networks amplify rounding.
Each model runs in a process of its own, so that memory is returned.

  python -m tools.compare_applications --size=small
  python -m tools.compare_applications --only='EfficientNet.*' --task=all

The exit code is 0 only if all of them agree.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from absl import app, flags

_ONLY = flags.DEFINE_string("only", "", "Models with names that match this.")
_SIZE = flags.DEFINE_enum(
  "size",
  "small",
  ["small", "default"],
  "Images of 96 x 96 pixels, or of the model's own size.",
)
_TASK = flags.DEFINE_enum(
  "task",
  "feature_vector",
  ["feature_vector", "all"],
  'What to export; "all" compares the logits and the features.',
)
_WEIGHTS = flags.DEFINE_enum(
  "weights", "random", ["random", "imagenet"], "The weights to compare with."
)
_MODEL = flags.DEFINE_string(
  "model", None, "Compares this one only, and prints the result as JSON."
)

_SMALL_SIZE = 96
# So many images that their statistics are worth something.
_SETTLING_BATCH = 8
_BATCH_SIZE = 2
_TOLERANCE = 1e-4


def main(argv: list[str]) -> None:
  if len(argv) > 1:
    raise app.UsageError(f"Unknown arguments: {' '.join(argv[1:])}")
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
  if _MODEL.value:
    print(json.dumps(_compare(_MODEL.value)))
    return
  sys.exit(0 if _compare_all() else 1)


def _compare_all() -> bool:
  """Prints the table; returns whether every model agrees."""
  from hub_image_export.sources import applications

  names = [n for n in applications.names() if re.search(_ONLY.value, n)]
  if not names:
    print(f"No Application matches {_ONLY.value!r}.")
    return False
  print(
    f"{'model':<20} {'difference':>10} {'by 1e-6':>8} {'seconds':>8}",
    flush=True,
  )
  failed = [name for name in names if not _print_row(name)]
  print(f"{len(names) - len(failed)} of {len(names)} models agree.")
  return not failed


def _print_row(name: str) -> bool:
  """Compares a model in a process of its own; returns whether it agrees."""
  start = time.perf_counter()
  child = subprocess.run(
    [
      *(sys.executable, "-m", "tools.compare_applications"),
      *(f"--model={name}", f"--size={_SIZE.value}", f"--task={_TASK.value}"),
      f"--weights={_WEIGHTS.value}",
    ],
    capture_output=True,
    text=True,
    check=False,
  )
  seconds = time.perf_counter() - start
  if child.returncode:
    reason = child.stderr.strip().splitlines()[-1:] or ["no message"]
    print(
      f"{name:<20} {'-':>10} {'-':>8} {seconds:8.1f} FAILED: {reason[0]}",
      flush=True,
    )
    return False
  compared = json.loads(child.stdout.splitlines()[-1])
  difference, moved = map(max, zip(*compared.values()))
  ok = all(map(_is_rounding, *zip(*compared.values())))
  verdict = "ok" if ok else "FAILED"
  print(
    f"{name:<20} {difference:10.1e} {moved:8.1e} {seconds:8.1f} {verdict}",
    flush=True,
  )
  return ok


def _is_rounding(difference: float, moved: float) -> bool:
  from hub_image_export.export import self_differences

  return difference <= max(_TOLERANCE, self_differences.AMPLIFIED * moved)


def _compare(name: str) -> dict[str, tuple[float, float]]:
  """Compares every output, and gives two numbers by its signature's name.

  Both are relative to the output's largest value: how far the module is from
  Keras at most, and how far a change of 1e-6 in the images moves Keras.
  """
  from hub_image_export.export import self_differences
  from hub_image_export.sources import application_models, applications

  application = applications.get(name)
  own = (application.height, application.width)
  height, width = own if _SIZE.value == "default" else (_SMALL_SIZE,) * 2
  model, feature_layer = application_models.build(
    application,
    task=_TASK.value,
    weights=_WEIGHTS.value,
    height=height,
    width=width,
  )
  images = np.random.default_rng(0).random(
    (_BATCH_SIZE, height, width, 3), np.float32
  )
  if _WEIGHTS.value == application_models.RANDOM:
    _settle(model, application)
  actual = _outputs_of_module(
    model, feature_layer, application.preprocess, images
  )
  expected = _outputs_of_keras(application, model, images)
  images = self_differences.nudged(images, seed=0)
  moved = _outputs_of_keras(application, model, images)
  return {
    key: (
      _difference(actual[key], expected[key]),
      _difference(moved[key], expected[key]),
    )
    for key in expected
  }


def _settle(model: Any, application: Any) -> None:
  """Gives batch norm the statistics of the network's own activations.

  With random weights and without this, deep networks are chaotic: in
  EfficientNetV2M a change of 1e-6 in the pixels moves the features by half of
  their scale, in Keras as in the module, and no comparison means anything.
  """
  from hub_image_export.tensorflow_api import keras_packages
  from hub_image_export.tensorflow_api.compat import tf

  family = getattr(tf.keras.applications, application.family)
  images = np.random.default_rng(1).random(
    (_SETTLING_BATCH, *model.input_shape[1:]), np.float32
  )
  layers = [
    layer for layer in model.layers if keras_packages.is_batch_norm(layer)
  ]
  momenta = [layer.momentum for layer in layers]
  for layer in layers:
    layer.momentum = 0.0
  for _ in range(2):  # Stochastic depth leaves some layers out of one.
    model(family.preprocess_input(images * 255.0), training=True)
  for layer, momentum in zip(layers, momenta):
    layer.momentum = momentum


def _outputs_of_module(
  model: Any, feature_layer: str | None, preprocess: str, images: np.ndarray
) -> dict[str, np.ndarray]:
  import hub_image_export as hie
  from hub_image_export.tensorflow_api.compat import tf

  height, width = images.shape[1:3]
  if feature_layer is None:
    spec = hie.make_feature_vector_module(
      model, height, width, preprocess=preprocess
    )
  else:
    spec = hie.make_image_module(
      model,
      height,
      width,
      default_task="image_classification",
      feature_layer=feature_layer,
      preprocess=preprocess,
    )
  with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "module")
    spec.export(path)  # Fails if a training step is not the model's own.
    with tf.Graph().as_default():
      module = hie.hub.Module(path)
      outputs = {
        name: module(images, signature=name)
        for name in module.get_signature_names()
        if name.startswith("image_")
      }
      with tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        return session.run(outputs)


def _outputs_of_keras(
  application: Any, model: Any, images: np.ndarray
) -> dict[str, np.ndarray]:
  from hub_image_export.sources import application_models
  from hub_image_export.tensorflow_api.compat import tf

  family = getattr(tf.keras.applications, application.family)
  pixels = family.preprocess_input(images * 255.0)
  if _TASK.value == "feature_vector":
    return {"image_feature_vector": _in_a_graph(model, pixels)}
  features, _ = application_models.build(
    application,
    task="feature_vector",
    weights=_WEIGHTS.value,
    height=images.shape[1],
    width=images.shape[2],
  )
  features.set_weights(model.get_weights()[: len(features.get_weights())])
  # The module serves logits (C7): the softmax is gone from it.
  model.layers[-1].activation = tf.keras.activations.linear
  return {
    "image_classification": _in_a_graph(model, pixels),
    "image_feature_vector": _in_a_graph(features, pixels),
  }


def _in_a_graph(model: Any, pixels: np.ndarray) -> np.ndarray:
  """What Keras gives when its ops run in one graph, as those of a module do.

  Op by op, the same model rounds differently: in ResNetRS200 that alone makes
  4e-4 of the features' scale.
  """
  from hub_image_export.tensorflow_api.compat import tf

  return tf.function(lambda x: model(x, training=False))(pixels).numpy()


def _difference(actual: np.ndarray, expected: np.ndarray) -> float:
  """The largest difference, relative to the largest value expected."""
  if actual.shape != expected.shape:
    raise ValueError(f"Shapes {actual.shape} and {expected.shape} differ.")
  largest = np.max(np.abs(expected))
  if not np.isfinite(largest) or largest == 0:
    raise ValueError(f"The outputs of Keras tell nothing: up to {largest}.")
  return float(np.max(np.abs(actual - expected)) / largest)


if __name__ == "__main__":
  app.run(main)
