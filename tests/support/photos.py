# SPDX-License-Identifier: Apache-2.0
"""Photos as people have them, small ones, good and bad."""

from __future__ import annotations

import io
import pathlib

import numpy as np
from PIL import Image

ORIENTATION = 0x0112
HEIGHT, WIDTH = 20, 30


def pixels(channels=3, height=HEIGHT, width=WIDTH, seed=0):
  """Smooth in each channel, with another level in each corner."""
  random = np.random.RandomState(seed)
  y = np.linspace(0, 1, height)[:, None, None]
  x = np.linspace(0, 1, width)[None, :, None]
  a, b, c = random.uniform(60, 110, (3, channels))
  return np.uint8(a * y + b * x + c * y * x * 0.3)


def encoded(image, kind="PNG", **options) -> bytes:
  """An array, or an image of Pillow's, as the content of a file."""
  if isinstance(image, np.ndarray):
    image = Image.fromarray(image)
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def turned(orientation: int) -> bytes:
  """A photo whose EXIF data say how a viewer turns it."""
  image = Image.fromarray(pixels())
  exif = image.getexif()
  exif[ORIENTATION] = orientation
  return encoded(image, "PNG", exif=exif)


def folder(path: pathlib.Path, good: int = 6) -> dict[str, bytes]:
  """Fills a folder: good photos in two levels, and one of each kind of bad.

  Returns:
    The content, by the relative path.
  """
  files = {
    f"{'inner/' if i % 2 else ''}photo{i}.png": encoded(pixels(seed=i))
    for i in range(good)
  }
  files.update(
    {
      "_DSC0001.JPG": encoded(pixels(seed=50), "JPEG"),
      "_raw/.hidden.png": encoded(pixels(seed=51)),
      "misnamed.png": encoded(pixels(seed=52), "JPEG"),
      "empty.jpg": b"",
      "truncated.jpg": encoded(pixels(seed=53), "JPEG")[:-200],
      "text.png": b"this is no photo",
    }
  )
  for name, content in files.items():
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(content)
  return files


BAD = ("empty.jpg", "truncated.jpg", "text.png")
