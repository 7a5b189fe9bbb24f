# SPDX-License-Identifier: Apache-2.0
"""Photos as people have them, small ones, good and bad."""

from __future__ import annotations

import io
import os
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


def odd(path: pathlib.Path) -> dict[str, bool]:
  """Fills a folder with what may stand in one; needs a file system of Linux.

  Returns:
    Whether a photo is in it, by relative path; bytes of no text are `\\xff`.
  """
  content = encoded(pixels())
  good = [
    "newline\n.png", "tab\t.png", "猫 ü.png", "100%.png", "a%20b.png",
    "a#b?c.png", "a:b.png", "quote'\".png", "{x,y}[1]*.png", "back\\slash.png",
    "-dash.png", "no_suffix", "dir.jpg/inside.png", " .png",
  ]  # fmt: skip
  for name in good:
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(content)
  with open(os.path.join(os.fsencode(path), b"\xff\xfe.png"), "wb") as file:
    file.write(content)
  (path / "link.png").symlink_to("no_suffix")
  (path / "up").symlink_to(path.parent)
  (path / "broken.png").symlink_to("nowhere")
  (path / "loop.png").symlink_to("loop.png")
  os.mkfifo(path / "pipe.png")
  bad = ("broken.png", "loop.png", "pipe.png")
  return {
    **dict.fromkeys([*good, "\\xff\\xfe.png", "link.png"], True),
    **dict.fromkeys(bad, False),
  }
