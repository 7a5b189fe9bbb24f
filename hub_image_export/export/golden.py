# SPDX-License-Identifier: Apache-2.0
"""A golden example: what a module answered when it was made.

Only the answer is stored. The image follows from a formula on integers, which
needs no library and no random numbers: whoever has the module can paint it
again, on any machine, and compare.
"""

from __future__ import annotations

import json
import os

import numpy as np

from hub_image_export import contract
from hub_image_export.export.saved_model.loaded import LoadedObject
from hub_image_export.serving.loaded_module import LoadedModule

FILE = "golden.json"
FORMAT = 1
FORMULA = (
  "images[0, y, x, c] = ((37*x*x + 71*y*y + 23*x*y + 101*c) % 256) / 255"
)
# float32 is read back exactly from nine digits.
_DIGITS = 9


def images(height: int, width: int) -> np.ndarray:
  """The image of `FORMULA`, `float32 [1, height, width, 3]` in [0, 1].

  It has coarse and fine structure in every place and channel.
  """
  y = np.arange(height, dtype=np.int64)[:, None, None]
  x = np.arange(width, dtype=np.int64)[None, :, None]
  c = np.arange(contract.NUM_CHANNELS, dtype=np.int64)
  values = (37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256
  return (values / 255.0).astype(np.float32)[None]


def record(
  directory: str, module: LoadedModule | LoadedObject, size: tuple[int, int]
) -> None:
  """Asks a module for its answer to the image, and writes both down.

  Args:
    directory: where the file goes; it exists.
    module: as verification loaded it.
    size: height and width of the image.
  """
  wanted = {
    output.partition("/")[0]: tensor
    for output, tensor in module.outputs.items()
    if output.partition("/")[2] == contract.DEFAULT_OUTPUT
  }
  answers = module.run_on_cpu(wanted, images(*size))
  content = {
    "format": FORMAT,
    "input": {
      "formula": FORMULA,
      "name": contract.IMAGES,
      "shape": [1, *size, contract.NUM_CHANNELS],
    },
    "outputs": {
      task: [[_number(v) for v in row] for row in values]
      for task, values in answers.items()
    },
  }
  with open(os.path.join(directory, FILE), "w", encoding="utf-8") as file:
    file.write(json.dumps(content, sort_keys=True) + "\n")


def _number(value: np.float32) -> float:
  return float(f"{value:.{_DIGITS}g}")
