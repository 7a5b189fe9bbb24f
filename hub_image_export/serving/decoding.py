# SPDX-License-Identifier: Apache-2.0
"""Photos as people have them, decoded to what a viewer shows.

Pillow does it: TensorFlow's decoder does not turn photos upright, has no
TIFF, and mistakes the colours of CMYK. Where TensorFlow is right, the pixels
are the same.
"""

from __future__ import annotations

import functools
import os
import re
import stat
import sys
import threading
from typing import Any

import numpy as np

from hub_image_export.errors import extra_missing

# Whoever drops files into a folder chooses the decoder: these run no other
# program (EPS would start Ghostscript), and read no other file.
FORMATS = (
  "JPEG", "MPO", "PNG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "AVIF", "HEIF",
  "JPEG2000", "PPM", "TGA", "ICO",
)  # fmt: skip
MAX_BYTES = 2**30
_SIXTEEN_BITS = ("I", "I;16", "I;16B", "I;16L", "I;16N")
# Of an image that is given twice, two threads would read the file at once.
_LOADING = threading.Lock()
_ADDRESS = re.compile(r" *<[^<>]* at 0x[0-9a-fA-F]+>")


@functools.cache
def pillow() -> Any:
  """Pillow's module `Image`, with all of its formats.

  Raises:
    ImportError: it is not installed; the message says how to get it.
  """
  try:
    from PIL import Image
  except ImportError as error:
    what = "photos are decoded by Pillow, which cannot be imported"
    raise extra_missing(what, "photos", error) from error
  Image.init()
  return Image


def decode(content: bytes) -> np.ndarray:
  """The pixels of an encoded image, or of its first frame.

  Orientation (EXIF) is applied; alpha and colour profiles are left out, gray
  and CMYK become RGB, and of 16 bits the upper 8 are taken.

  Args:
    content: of an image file of any of `FORMATS` that Pillow has.

  Returns:
    `uint8 [height, width, 3]`, RGB.

  Raises:
    ValueError: it is no such image, damaged, or too large.
    ImportError: Pillow is not installed.
  """
  library = pillow()
  if not content:
    raise ValueError("it is empty: there are 0 bytes")
  import io

  known = [name for name in FORMATS if name in library.OPEN]
  try:
    with library.open(io.BytesIO(content), formats=known) as image:
      return _pixels(image)
  except library.UnidentifiedImageError as error:
    raise ValueError(_unknown(content, known)) from error
  except library.DecompressionBombError as error:
    raise ValueError(
      "it has more pixels than Pillow decodes: expected at most "
      f"{2 * library.MAX_IMAGE_PIXELS}"
    ) from error
  except Exception as error:  # Decoders fail in any way on nonsense.
    raise ValueError(f"it cannot be decoded: {_reason(error)}") from error


def read(path: str) -> bytes:
  """The content of a file.

  Raises:
    ValueError: it cannot be read, or is too large.
  """
  try:
    with open(path, "rb", opener=_without_waiting) as file:
      status = os.fstat(file.fileno())
      if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no file")
      if status.st_size > MAX_BYTES:
        raise ValueError(
          f"it has {status.st_size} bytes: expected at most {MAX_BYTES}"
        )
      return file.read()
  except OSError as error:
    raise ValueError(f"it cannot be read: {error.strerror}") from error


def _without_waiting(path: str, flags: int) -> int:
  """Opens a pipe that nobody writes to as well."""
  return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def is_pillow(image: Any) -> bool:
  """Whether it is an image of Pillow's; does not import it."""
  library = sys.modules.get("PIL.Image")
  return library is not None and isinstance(image, library.Image)


def from_pillow(image: Any) -> np.ndarray:
  """What `decode` returns, of an image that Pillow has opened.

  Raises:
    ValueError: it is damaged, or closed.
  """
  try:
    with _LOADING:
      image.load()
    return _pixels(image)
  except Exception as error:  # What is opened is not read yet.
    raise ValueError(f"it cannot be decoded: {_reason(error)}") from error


def _pixels(image: Any) -> np.ndarray:
  image.load()
  # Of the file: what is turned has no format.
  kind = image.format, image.mode
  image = _upright(image)
  if kind[1] == "F" or kind == ("TIFF", "I"):
    raise ValueError(
      "its pixels are 32-bit numbers, of an unknown range: expected 8 or 16 "
      "bits. Save it as PNG"
    )
  if kind[1] in _SIXTEEN_BITS:  # Pillow would clip them at 255.
    gray = (np.asarray(image) >> 8).clip(0, 255).astype(np.uint8)
    return np.repeat(gray[:, :, None], 3, axis=2)
  if "transparency" in image.info:
    image = image.convert("RGBA")
  return np.asarray(image.convert("RGB"))


def _upright(image: Any) -> Any:
  from PIL import ImageOps

  try:
    return ImageOps.exif_transpose(image)
  except MemoryError:
    raise
  except Exception:  # Damaged EXIF data: viewers show the photo as it is.
    return image


def _unknown(content: bytes, known: list[str]) -> str:
  hint = ""
  if content[4:8] == b"ftyp":
    hint = (
      ". HEIC photos need the package pillow-heif: call "
      "pillow_heif.register_heif_opener(), or convert them to JPEG"
    )
  return f"it is no image that Pillow knows: expected {', '.join(known)}{hint}"


def _reason(error: Exception) -> str:
  text = _ADDRESS.sub("", " ".join(str(error).split()))
  return f"{text or type(error).__name__}"[:200]
