# SPDX-License-Identifier: Apache-2.0
"""Brings photos to the size that a module expects (C16)."""

from __future__ import annotations

import numpy as np

from hub_image_export import contract
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet

BILINEAR, ANTIALIAS = "bilinear", "antialias"
METHODS = (BILINEAR, ANTIALIAS)


class Resizer:
  """Resizes one image at a time; threads may share it.

  "bilinear" is what consumers of these modules have used: the resize of
  TensorFlow 1 (`tf.compat.v1.image.resize_bilinear`), as in hub's own
  retrain.py. It looks at four pixels for each new one, whatever lies between
  them. "antialias" averages over all (`tf.image.resize(antialias=True)`; nearly
  what Pillow and torchvision do). Neither keeps the aspect ratio.
  """

  def __init__(
    self, height: int, width: int, method: str, session_config: object = None
  ) -> None:
    self._size = height, width
    graph = tf.Graph()
    self._ways = {}
    with quiet(), graph.as_default():
      for dtype, most in ((tf.uint8, 255.0), (tf.float32, 1.0)):
        given = tf.compat.v1.placeholder(dtype, [None, None, 3])
        batch = given[None]
        if method == BILINEAR:
          resized = tf.compat.v1.image.resize_bilinear(batch, self._size)
        else:
          resized = tf.image.resize(batch, self._size, antialias=True)
        self._ways[dtype.as_numpy_dtype] = given, resized[0] / most
    self._session = tf.compat.v1.Session(graph=graph, config=session_config)

  def __call__(self, pixels: np.ndarray) -> np.ndarray:
    """`uint8` or `float32 [h, w, 3]` to `float32` in [0, 1], of the size."""
    kind = pixels.dtype.type
    if pixels.shape[:2] == self._size:
      most = 255.0 if kind is np.uint8 else contract.PIXEL_MAX
      return pixels.astype(np.float32) / np.float32(most)
    given, resized = self._ways[kind]
    return self._session.run(resized, {given: pixels})

  def close(self) -> None:
    self._session.close()
