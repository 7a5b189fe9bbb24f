# SPDX-License-Identifier: Apache-2.0
"""A module opened: images of any kind in, NumPy out; rows, threads, ends."""

from __future__ import annotations

import concurrent.futures
import contextlib
import gc
import http.server
import io
import itertools
import os
import resource
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

import hub_image_export as hie
from hub_image_export.export import golden
from hub_image_export.serving import frozen, image_module
from hub_image_export.serving.resizing import Resizer
from hub_image_export.tensorflow_api.compat import tf
from tests.publishing import modules
from tests.support import photos
from tests.support.consumer import random_images

_SIZE = (12, 10)


@pytest.fixture(scope="module")
def opened(module):
  with hie.open_module(module) as found:
    yield found


def test_it_says_what_it_is(opened):
  assert opened.image_size == _SIZE
  assert opened.labels == modules.LABELS
  assert opened.task == "image_classification"
  assert opened.is_classifier() and opened.is_classifier("default")
  assert not opened.is_classifier("image_feature_vector")
  assert opened.output_shape() == (3,)
  assert opened.output_shape("image_feature_vector", "Pets/conv") == (6, 5, 4)


def test_images_of_any_kind_give_the_same(opened, tmp_path):
  pixels = photos.pixels()
  path = tmp_path / "photo.png"
  path.write_bytes(photos.encoded(pixels))
  expected = opened(pixels)
  assert expected.shape == (1, 3) and expected.dtype == np.float32
  same = [
    path,
    str(path),
    path.read_bytes(),
    bytearray(path.read_bytes()),
    Image.fromarray(pixels),
    pixels.astype(np.uint16) * 257,
    pixels / 255,
    (pixels / 255).astype(np.float16),
    tf.constant(pixels),
    np.dstack([pixels, pixels[:, :, :1]]),
  ]
  for image in same:
    np.testing.assert_allclose(opened(image), expected, atol=2e-3)
  np.testing.assert_allclose(
    opened(iter(same)), np.repeat(expected, len(same), 0), atol=2e-3
  )


def test_gray_images_are_gray_in_each_channel(opened):
  gray = photos.pixels(1)
  expected = opened(np.repeat(gray, 3, axis=2))
  for image in (gray, gray[:, :, 0], Image.fromarray(gray[:, :, 0])):
    np.testing.assert_array_equal(opened(image), expected)


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 70])
def test_batches_of_any_length(count, opened):
  images = random_images(count, *_SIZE)
  found = opened(images, batch_size=32)
  assert found.shape == (count, 3)
  if count:
    one_by_one = np.concatenate([opened(image) for image in images])
    np.testing.assert_allclose(found, one_by_one, atol=1e-5)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize(
  "size", [(1, 1), (5, 7), (12, 10), (40, 90), (2, 9000)]
)
@pytest.mark.parametrize("method", ["bilinear", "antialias"])
def test_resizing_is_that_of_tensorflow(method, size, kind):
  resizer = Resizer(*_SIZE, method)
  pixels = photos.pixels(3, *size)
  image = tf.image.convert_image_dtype(pixels, tf.float32)[None]
  if method == "bilinear":  # As in hub's retrain.py.
    expected = tf.compat.v1.image.resize_bilinear(image, _SIZE)
  else:
    expected = tf.image.resize(image, _SIZE, antialias=True)
  given = pixels if kind is np.uint8 else image.numpy()[0]
  # Sums of hundreds of pixels are rounded.
  np.testing.assert_allclose(resizer(given), expected[0], rtol=1e-5, atol=1e-6)


def test_archives_and_addresses(archive, opened, monkeypatch, tmp_path):
  images = random_images(2, *_SIZE)
  content = archive.read_bytes()

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
      self.send_response(200)
      self.end_headers()
      self.wfile.write(content)

    def log_message(self, *unused):
      pass

  monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  url = f"http://127.0.0.1:{server.server_port}/pets.tar.gz"
  try:
    for path in (archive, str(archive), url):
      with hie.open_module(path) as module:
        np.testing.assert_array_equal(module(images), opened(images))
  finally:
    server.shutdown()
    server.server_close()


class _Net(tf.Module):
  """A SavedModel of TensorFlow 2 whose weights and branch are in functions."""

  def __init__(self):
    super().__init__()
    self.kernel = tf.Variable(random_images(1, 3, 4)[0], name="kernel")

  @tf.function(input_signature=[tf.TensorSpec([None, *_SIZE, 3])])
  def __call__(self, pixels):
    if tf.reduce_mean(pixels) > 2.0:
      pixels = pixels / 255.0
    return {"default": tf.einsum("nhwc,acd->nd", pixels, self.kernel[:, :3])}

  @tf.function(input_signature=[tf.TensorSpec([None, *_SIZE, 3])])
  def hidden(self, pixels):
    return {"default": self(pixels)["default"] * 2.0, "pixels": pixels}


def test_a_saved_model_by_its_signatures(tmp_path):
  net = _Net()
  names = {"serving_default": net.__call__, "image_feature_vector": net.hidden}
  tf.saved_model.save(net, str(tmp_path), names)
  images = random_images(3, *_SIZE)
  with hie.open_module(tmp_path) as opened:
    assert opened.image_size == _SIZE
    assert sorted(opened.signatures) == ["default", "image_feature_vector"]
    expected = net(tf.constant(images))["default"]
    np.testing.assert_allclose(opened(images), expected, rtol=1e-5)
    found = opened(images, signature="image_feature_vector")
    np.testing.assert_allclose(found, 2 * expected, rtol=1e-5)
    hidden = {"signature": "image_feature_vector", "output": "pixels"}
    np.testing.assert_allclose(opened(images, **hidden), images, rtol=1e-6)


def test_broken_images_are_rows(opened):
  good = photos.pixels()
  cut = photos.encoded(photos.pixels(3, 200, 200), "JPEG")[:-200]
  images = [good, b"", good, b"nonsense", "/no/such.jpg", None, 255.0 * good]
  images.append(Image.open(io.BytesIO(cut)))
  rows = list(opened.rows(images, batch_size=2))
  assert [row.error is None for row in rows] == [True, False, True] + [
    False
  ] * 5
  assert all((row.values is None) != (row.error is None) for row in rows)
  np.testing.assert_array_equal(rows[0].values, rows[2].values)
  with pytest.raises(ValueError, match=r"images\[1\] is '/no/such.jpg'"):
    opened([good, "/no/such.jpg"])


def test_rows_take_no_more_images_than_they_need(opened):
  taken = itertools.count()

  def endless():
    while True:
      next(taken)
      yield photos.pixels()

  rows = opened.rows(endless(), batch_size=4)
  for _ in range(10):
    assert next(rows).error is None
  rows.close()
  assert next(taken) <= 10 + 4 * 4


def test_threads_may_share_it(opened):
  images = np.uint8(255 * random_images(80, 17, 23))
  expected = opened(images)

  def ask(thread):
    count = 1 + 5 * thread
    return opened(images[:count], batch_size=1 + thread), count

  with concurrent.futures.ThreadPoolExecutor(16) as pool:
    for found, count in pool.map(ask, [*range(16)] * 3):
      np.testing.assert_allclose(found, expected[:count], atol=1e-5)


def test_an_image_of_pillow_given_often(opened):
  """It is read from its file when the first thread asks."""
  content = photos.encoded(photos.pixels(3, 400, 300), "JPEG")
  for _ in range(5):
    image = Image.open(io.BytesIO(content))
    found = opened([image] * 20)
    expected = np.repeat(opened(content), 20, 0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_closing_while_others_run_it(module):
  opened = hie.open_module(module)
  images = np.uint8(255 * random_images(8, 300, 400))
  started = threading.Semaphore(0)

  def ask(_):
    with contextlib.suppress(ValueError):
      while True:
        opened(images)
        started.release()
    return True

  with concurrent.futures.ThreadPoolExecutor(8) as pool:
    done = pool.map(ask, range(8))
    for _ in range(8):
      started.acquire()
    opened.close()
    assert all(done)


def _resident():
  with open("/proc/self/statm") as file:
    return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="of Linux")
@pytest.mark.slow
@pytest.mark.newest
def test_closing_gives_memory_back(tmp_path):
  """32 MB of weights, in a list that keeps what was closed."""

  def features(images):
    values = np.random.RandomState(0).normal(size=(3, 8_000_000 // 3))
    kernel = tf.compat.v1.get_variable("k", initializer=np.float32(values))
    return tf.linalg.matmul(tf.reduce_mean(images, [1, 2]), kernel)[:, :9]

  path = tmp_path / "module"
  hie.make_feature_vector_module(features, *_SIZE).export(path, verify=False)
  kept = []

  def open_and_close(times):
    for _ in range(times):
      with hie.open_module(path) as opened:
        opened(photos.pixels())
      kept.append(opened)
    gc.collect()

  open_and_close(5)
  before = _resident()
  open_and_close(20)
  assert _resident() - before < 20 * 32e6 / 4


_THREADS = """
import os, sys
import hub_image_export as hie
with hie.open_module(sys.argv[1], threads=int(sys.argv[2])) as module:
  module(__import__("numpy").zeros((64, 12, 10, 3)))
  print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="of Linux")
def test_threads_of_tensorflow_are_as_many_as_asked_for(module):
  one, nine = (
    int(subprocess.check_output([sys.executable, "-c", _THREADS, module, n]))
    for n in ("1", "9")
  )
  assert nine - one >= 8  # A decoding thread may end a little later.


def test_a_closed_module_says_so(module):
  with hie.open_module(module) as opened:
    pass
  opened.close()
  with pytest.raises(ValueError, match="closed"):
    opened(photos.pixels())


def test_the_golden_example_is_answered(opened, module):
  import json

  text = (module / "assets.extra" / golden.FILE).read_text()
  for task, values in json.loads(text)["outputs"].items():
    found = opened(golden.images(*_SIZE), signature=task)
    np.testing.assert_allclose(found, values, rtol=1e-5, atol=1e-6)


def test_it_works_with_variables_where_they_cannot_be_constants(
  module, opened, monkeypatch
):
  monkeypatch.setattr(frozen, "_MAX_BYTES", 0)
  images = random_images(3, *_SIZE)
  with hie.open_module(module) as found:
    assert found._open[0].graph.get_collection("variables")
    np.testing.assert_allclose(found(images), opened(images), atol=1e-6)
  assert not opened._open[0].graph.get_collection("variables")


def test_nothing_of_the_process_changes(module):
  with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
    with hie.open_module(module) as opened:
      opened(photos.pixels())
    assert not graph.get_operations()
    assert tf.compat.v1.get_default_session() is session
  assert tf.executing_eagerly()


def test_a_generator_that_is_left_ends_its_threads(opened):
  before = threading.active_count()
  for _ in range(5):
    rows = opened.rows(itertools.repeat(photos.pixels()), batch_size=2)
    next(rows)
    rows.close()
  assert threading.active_count() <= before + 1
  assert image_module.BATCH_SIZE > 1
