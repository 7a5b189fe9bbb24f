# SPDX-License-Identifier: Apache-2.0
"""Writes handwritten digits as photos, one PNG file each, for `run_module`.

python -m examples.digits --export_path=digits_module
python -m examples.digits_photos digits_photos
run_module digits_module digits_photos/7_000.png
run_module --output=digits.csv digits_module digits_photos
"""

import pathlib
import sys

import numpy as np
from PIL import Image

from examples import digits_data

_SIZE = 32


def write(folder, count=100):
  """Writes `count` of the test images; names begin with the digit."""
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  digits = digits_data.load(_SIZE, _SIZE)
  pairs = zip(digits.test_images[:count], digits.test_labels)
  for i, (image, label) in enumerate(pairs):
    pixels = np.uint8(np.rint(255 * image))
    Image.fromarray(pixels).save(folder / f"{label}_{i:03}.png")


def main(argv):
  if len(argv) != 2:
    return "Expected the path of a folder, which is made."
  write(argv[1])
  print(f"Photos are in {argv[1]}")
  return 0


if __name__ == "__main__":
  sys.exit(main(sys.argv))
