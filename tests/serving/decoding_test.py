# SPDX-License-Identifier: Apache-2.0
"""Photos are decoded to what a viewer shows, and as TensorFlow does it."""

from __future__ import annotations

import io
import os

import numpy as np
import pytest
from PIL import Image

from hub_image_export.serving import decoding
from hub_image_export.tensorflow_api.compat import tf
from tests.support import photos

_RGB = photos.pixels()
_GRAY = photos.pixels(1)[:, :, 0]


def _palette(**options):
  image = Image.fromarray(_RGB).quantize(64)
  return photos.encoded(image, **options)


# What TensorFlow decodes rightly, and by how many levels decoders may differ.
_AS_TENSORFLOW = {
  "PNG": (photos.encoded(_RGB), 0),
  "gray PNG": (photos.encoded(_GRAY), 0),
  "PNG with alpha": (photos.encoded(photos.pixels(4)), 0),
  "PNG of 16 bits": (photos.encoded(_GRAY.astype(np.uint16) * 257), 0),
  "palette": (_palette(), 0),
  "BMP": (photos.encoded(_RGB, "BMP"), 0),
  "GIF": (_palette(kind="GIF"), 0),
  "JPEG": (photos.encoded(_RGB, "JPEG", quality=95), 1),
  "gray JPEG": (photos.encoded(_GRAY, "JPEG", quality=95), 1),
}


@pytest.mark.parametrize("kind", sorted(_AS_TENSORFLOW))
def test_pixels_are_those_of_tensorflow(kind):
  content, levels = _AS_TENSORFLOW[kind]
  if "JPEG" in kind:  # TensorFlow's default takes the fast way: 5 levels off.
    expected = tf.io.decode_jpeg(
      content, channels=3, dct_method="INTEGER_ACCURATE"
    )
  else:
    expected = tf.io.decode_image(content, channels=3, expand_animations=False)
  found = decoding.decode(content)
  assert found.dtype == np.uint8
  assert (
    np.abs(found.astype(int) - expected.numpy().astype(int)).max() <= levels
  )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_upright(orientation):
  ways = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: np.rot90,
  }
  found = decoding.decode(photos.turned(orientation))
  np.testing.assert_array_equal(found, ways[orientation](_RGB))


def _noise(count):
  return np.random.RandomState(count).bytes(count)


@pytest.mark.parametrize(
  ("content", "levels"),
  [
    (photos.encoded(Image.fromarray(_RGB).convert("CMYK"), "JPEG"), 12),
    (photos.encoded(_RGB, "TIFF"), 0),
    (photos.encoded(_RGB, "WEBP", lossless=True), 0),
    (
      photos.encoded(
        Image.fromarray(_RGB),
        "TIFF",
        save_all=True,
        append_images=[Image.fromarray(255 - _RGB)],
      ),
      0,
    ),
    (photos.encoded(_RGB, exif=b"Exif\0\0" + _noise(40)), 0),
  ],
  ids=["CMYK", "TIFF", "WebP", "first of two", "damaged EXIF"],
)
def test_what_viewers_show(content, levels):
  found = decoding.decode(content)
  assert np.abs(found.astype(int) - _RGB).max() <= levels


def test_sixteen_bits_are_not_white():
  deep = np.linspace(0, 65535, 600).reshape(20, 30).astype(np.uint16)
  for kind in ("PNG", "TIFF", "PPM"):
    found = decoding.decode(photos.encoded(deep, kind))
    np.testing.assert_array_equal(found[:, :, 1], deep >> 8)


def test_a_photo_of_a_hundred_megapixels():
  image = Image.new("L", (12000, 8500), 77)
  with pytest.warns(Image.DecompressionBombWarning):
    found = decoding.decode(photos.encoded(image))
  assert found.shape == (8500, 12000, 3)
  assert (found[::999, ::999] == 77).all()


def _transparent(mode):
  image = Image.fromarray(_RGB)
  if mode == "P":
    image = image.quantize(200)
    return photos.encoded(image, transparency=7), image.convert("RGB")
  return photos.encoded(image, transparency=(9, 9, 9)), image


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_transparent_colours_are_colours(mode):
  content, expected = _transparent(mode)
  np.testing.assert_array_equal(decoding.decode(content), expected)
  tensor = tf.io.decode_image(content, channels=3)
  np.testing.assert_array_equal(decoding.decode(content), tensor)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_in_colour_and_with_alpha(channels):
  """Pillow writes none; TensorFlow does."""
  deep = np.random.RandomState(0).randint(0, 65536, (5, 7, channels), np.uint16)
  content = tf.io.encode_png(deep).numpy()
  expected = np.repeat(deep[:, :, :1], 3, 2) if channels == 2 else deep
  found = decoding.decode(content)
  np.testing.assert_array_equal(found, expected[:, :, :3] >> 8)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_several(kind):
  first, second = (
    Image.fromarray(a).quantize(64).convert("RGB") for a in (_RGB, 255 - _RGB)
  )
  options = {"save_all": True, "append_images": [second]}
  if kind == "WEBP":
    options["lossless"] = True
  found = decoding.decode(photos.encoded(first, kind, **options))
  np.testing.assert_array_equal(found, first)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP"])
def test_other_formats_are_upright_too(kind):
  image = Image.fromarray(np.repeat(np.repeat(_RGB, 8, 0), 8, 1))
  exif = image.getexif()
  exif[photos.ORIENTATION] = 6
  found = decoding.decode(photos.encoded(image, kind, exif=exif, quality=95))
  expected = np.rot90(np.asarray(image), -1)
  assert found.shape == expected.shape
  assert np.abs(found.astype(int) - expected).mean() < 4


@pytest.mark.parametrize("size", [(1, 1), (1, 9000), (20000, 1000)])
def test_any_shape(size):
  found = decoding.decode(photos.encoded(Image.new("RGB", size, (1, 2, 3))))
  assert found.shape == (*size[::-1], 3)
  assert (found == (1, 2, 3)).all()


_BAD = {
  "empty": (b"", "empty"),
  "text": (b"hello", "no image that Pillow knows"),
  "truncated": (photos.encoded(_RGB, "JPEG")[:-200], "(?i)truncated"),
  "PNG cut": (photos.encoded(_RGB)[:300], "cannot be decoded"),
  "HEIC": (b"\0\0\0\x18ftypheic" + _noise(100), "pillow-heif"),
  "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image"),
  "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "no image"),
  "floats": (
    photos.encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"),
    "unknown range",
  ),
  "too large": (photos.encoded(Image.new("1", (20000, 20000))), "more pixels"),
}


@pytest.mark.parametrize("kind", sorted(_BAD))
def test_bad_ones_are_told_in_a_line(kind):
  content, words = _BAD[kind]
  with pytest.raises(ValueError, match=words) as told:
    decoding.decode(content)
  assert "0x" not in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "WEBP", "BMP"])
def test_nonsense_within_a_file_is_a_pixel_or_a_value_error(kind):
  content = bytearray(photos.encoded(_RGB, kind))
  random = np.random.RandomState(1)
  for _ in range(40):
    changed = bytearray(content)
    for place in random.randint(4, len(content), 5):
      changed[place] = random.randint(256)
    try:
      found = decoding.decode(bytes(changed))
    except ValueError:
      continue
    assert found.dtype == np.uint8 and found.shape[2] == 3


def test_what_is_no_file_is_not_waited_for(tmp_path):
  os.mkfifo(tmp_path / "pipe")
  with pytest.raises(ValueError, match="no file"):
    decoding.read(str(tmp_path / "pipe"))
  with pytest.raises(ValueError, match="cannot be read"):
    decoding.read(str(tmp_path))


def test_what_pillow_opens_and_cannot_read():
  cut = photos.encoded(photos.pixels(3, 200, 200), "JPEG")[:-200]
  for content in (cut, _BAD["PNG cut"][0], _BAD["floats"][0]):
    image = Image.open(io.BytesIO(content))
    with pytest.raises(ValueError, match="cannot be decoded: ") as told:
      decoding.from_pillow(image)
    assert "0x" not in str(told.value)


def test_a_closed_image_of_pillow():
  with Image.open(io.BytesIO(photos.encoded(_RGB))) as image:
    pass
  with pytest.raises(ValueError, match="cannot be decoded"):
    decoding.from_pillow(image)


def test_an_image_of_pillow_keeps_its_file():
  with Image.open(io.BytesIO(photos.encoded(_RGB))) as image:
    for _ in range(2):
      np.testing.assert_array_equal(decoding.from_pillow(image), _RGB)
