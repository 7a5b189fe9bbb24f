# SPDX-License-Identifier: Apache-2.0
"""Dilated convolutions as plain ones on rearranged images."""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  rewrite_of,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import NodeDef


@rewrite_of("Conv2D", "DepthwiseConv2dNative")
def undilate_convolutions(node: NodeDef, new: Substitution) -> None:
  """Convolves the phases of the images, as `tf.nn.convolution` does.

  On CPUs TF 1.15 has no gradient of a dilated `Conv2D` ("do not yet support
  dilation rates larger than 1"), and lets a `DepthwiseConv2dNative` compute
  wrong numbers. Expects NHWC, and no groups.
  """
  rates = np.array(node.attr["dilations"].list.i[1:3], np.int32)
  if not rates.size or rates.max() == 1 or set(new.attr("strides")) != {1}:
    return
  paddings = _paddings(new, rates)
  if paddings is None:
    return

  def of_phases(x: Any, kernel: Any) -> Any:
    before, after = paddings.T
    sizes = x.shape[1:3].as_list()
    # Whatever lacks of a multiple of the rates is padded, and cropped again.
    if None in sizes:
      rest = -(tf.shape(x)[1:3] + before + after) % rates
    else:
      rest = -(np.array(sizes, np.int32) + before + after) % rates
    stack = np.stack if isinstance(rest, np.ndarray) else tf.stack
    x = tf.space_to_batch(x, rates, stack([before, after + rest], 1))
    y = new.like(
      x,
      kernel,
      padding="VALID",
      explicit_paddings=[],
      dilations=[1, 1, 1, 1],
    )
    return tf.batch_to_space(y, rates, stack([0 * before, rest], 1))

  new.compute(of_phases)


def _paddings(new: Substitution, rates: np.ndarray) -> np.ndarray | None:
  """What the op pads: [height or width, before or after]."""
  padding = new.attr("padding")
  if padding == "VALID":
    return np.zeros([2, 2], np.int32)
  if padding == "EXPLICIT":
    pads = new.attr("explicit_paddings")
    return np.reshape(pads, [4, 2])[1:3].astype(np.int32)
  kernel = new.input_shape(1)
  if not kernel or None in kernel[:2]:
    return None
  total = (np.array(kernel[:2]) - 1) * rates
  return np.stack([total // 2, total - total // 2], 1).astype(np.int32)
