# SPDX-License-Identifier: Apache-2.0
"""What tf_slim looks for in TensorFlow and no longer finds.

`slim.batch_norm` takes a layer from `tensorflow.python.layers.normalization`,
which looks for `tf_keras.legacy_tf_layers`; since TensorFlow 2.13 that is
`tf_keras.src.legacy_tf_layers`, and `keras.src.legacy_tf_layers` where Keras 2
is there. And it asks for `tensorflow.python.framework.ops.Tensor`, which is
`tf.Tensor` alone since 2.14. tests/sources/slim_test.py notices when tf_slim
or TensorFlow are mended.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

from hub_image_export.tensorflow_api.compat import tf

_SLIM = "tf_slim"
_LAYERS = "legacy_tf_layers.normalization"
_LOOKED_FOR = f"tf_keras.{_LAYERS}"


def provide() -> None:
  """Puts it where tf_slim looks, in a process that has imported that."""
  if _SLIM not in sys.modules:
    return
  ops = _tensorflow("framework.ops")
  if not hasattr(ops, "Tensor"):
    ops.Tensor = tf.Tensor
  place = _tensorflow("layers.normalization")
  if place.normalization.__name__ == _LOOKED_FOR:
    loader = type(place.normalization)
    place.normalization = loader("normalization", vars(place), _layers())


def _layers() -> str:
  """The module that has the layers of TF1, in the Keras that is there."""
  for package in ("keras.src", "tf_keras.src"):
    name = f"{package}.{_LAYERS}"
    try:
      if importlib.util.find_spec(name) is not None:
        return name
    except ModuleNotFoundError:
      continue
  return _LOOKED_FOR


def _tensorflow(name: str) -> Any:
  return importlib.import_module(f"{tf.__name__}.python.{name}")
