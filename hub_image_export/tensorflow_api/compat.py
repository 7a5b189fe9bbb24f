# SPDX-License-Identifier: Apache-2.0
"""TensorFlow and TensorFlow Hub with the TF1 API, on any line of TensorFlow.

The rest of the package takes `tf` and `hub` from here, and only from here.
tensorflow_hub 0.15 is the last version that has `hub.Module`. It inherits, for
a class that nothing here uses, from `tf.compat.v1.estimator.Exporter`, which
TensorFlow 2.16 deleted; a stand-in for that one class is all that it needs to
work on any later version. A process that does `without_keras` has one for
`hub.KerasLayer`, too.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import types
from collections.abc import Iterator
from typing import Any

from hub_image_export.tensorflow_api import without_keras
from hub_image_export.version import installed

_PIP = (
  'pip install "tensorflow>=2.12,<2.22" "tensorflow-hub==0.15.*" '
  '"setuptools<81"'
)


def _unusable(reason: object) -> ImportError:
  return ImportError(
    f"hub_image_export cannot start: {reason}. "
    f"Installed: {', '.join(installed())}. "
    "Needed: tensorflow 2.12 to 2.21 and tensorflow-hub 0.15 (the last with "
    f"hub.Module). Install them with:  {_PIP}"
  )


def _import_tensorflow() -> Any:
  try:
    import tensorflow
  except ImportError as error:
    raise _unusable(f"TensorFlow cannot be imported ({error})") from error
  version = getattr(tensorflow, "__version__", "none")
  try:
    release = tuple(int(part) for part in version.split(".")[:2])
  except ValueError:
    release = (0, 0)
  if release < (2, 12):
    raise _unusable(f"TensorFlow {version} is too old")
  return tensorflow


def _provide_estimator(tensorflow: Any) -> None:
  """Sets a stand-in for the module that TensorFlow 2.16 deleted.

  It is there in TensorFlow 2.15, and its import takes a tenth of the time.
  """
  # Its import by name would cost a quarter of a second where it is there.
  there = hasattr(tensorflow.compat.v1, "estimator")
  if there and not without_keras.is_left_out():
    return
  estimator: Any = types.ModuleType("tensorflow.compat.v1.estimator")
  estimator.Exporter = type("Exporter", (), {})
  tensorflow.compat.v1.estimator = estimator
  if there:  # Where it is, the module of that name is another one.
    by_name: Any = importlib.import_module("tensorflow.compat.v1")
    by_name.estimator = estimator
  sys.modules[estimator.__name__] = estimator


@contextlib.contextmanager
def _with_keras(tensorflow: Any) -> Iterator[None]:
  """Has a stand-in for Keras where it is left out."""
  if not without_keras.is_left_out():
    yield
    return
  keras = tensorflow.keras
  layers = types.SimpleNamespace(Layer=object)
  tensorflow.keras = types.SimpleNamespace(layers=layers)
  try:
    yield
  finally:
    tensorflow.keras = keras


def _import_hub(tensorflow: Any) -> Any:
  _provide_estimator(tensorflow)
  try:
    with _with_keras(tensorflow):
      import tensorflow_hub
  except ImportError as error:
    raise _unusable(f"tensorflow_hub cannot be imported ({error})") from error
  if not hasattr(tensorflow_hub, "create_module_spec"):
    raise _unusable(
      f"tensorflow_hub {tensorflow_hub.__version__} has no hub.Module"
    )
  return tensorflow_hub


@contextlib.contextmanager
def _garbage_ignored() -> Iterator[None]:
  """Looks for no garbage: what an import makes stays, and is looked through
  again and again, in a fifth of the time that the import takes.
  """
  enabled = gc.isenabled()
  gc.disable()
  try:
    yield
  finally:
    if enabled:
      gc.enable()


with _garbage_ignored():
  tf: Any = _import_tensorflow()
  hub: Any = _import_hub(tf)
