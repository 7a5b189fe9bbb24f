# SPDX-License-Identifier: Apache-2.0
"""Photos per second: `run_module` and Spark against a plain loop.

  python -m benchmarks.photos --photos=600 --rounds=3 --spark

The loop is what people write: `hub.Module` in a session, the same decoding and
resizing, batches of 32, one after the other; it writes nothing. Ours are the
rows of `open_module`, and Spark's `local[2]` with Parquet files as a result.
All take turns. What it takes to start is told apart from what a photo takes.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

import hub_image_export as hie
from benchmarks import measure
from hub_image_export.serving import decoding, resizing
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet

_SIZE = 96
_BATCH_SIZE = 32
_PHOTO = (375, 500, 3)


def run(photos: int, rounds: int, with_spark: bool) -> dict[str, Any]:
  """Seconds to start, and photos per second, by way."""
  with tempfile.TemporaryDirectory() as folder:
    files = _write_photos(pathlib.Path(folder) / "photos", photos)
    module = os.path.join(folder, "module")
    model = tf.keras.applications.MobileNetV2(
      (_SIZE, _SIZE, 3), include_top=False, pooling="avg", weights=None
    )
    spec = hie.make_feature_vector_module(model, _SIZE, _SIZE, preprocess="tf")
    spec.export(module, verify=False)
    starts = {"loop": _loop, "run_module": _rows}
    if with_spark:
      starts["spark"] = _spark
    ways, seconds_to_start = {}, {}
    for name, start in starts.items():
      begin = time.perf_counter()
      ways[name] = start(module, files)
      ways[name]()  # Whatever is done once for a process.
      seconds_to_start[name] = time.perf_counter() - begin
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
      for name, way in ways.items():
        begin = time.perf_counter()
        way()
        rates[name].append(photos / (time.perf_counter() - begin))
    medians = {name: float(np.median(rate)) for name, rate in rates.items()}
  return {
    "photos": photos,
    "photos_per_second": rates,
    "over_the_loop": {n: m / medians["loop"] for n, m in medians.items()},
    "seconds_to_start_and_run_once": seconds_to_start,
  }


def _write_photos(folder: pathlib.Path, count: int) -> list[str]:
  """JPEG files with as much detail as photos have: about 60 kB each."""
  folder.mkdir()
  random = np.random.RandomState(0)
  for i in range(count):
    coarse = random.randint(0, 256, (25, 34, 3), np.uint8)
    image = Image.fromarray(coarse).resize(_PHOTO[1::-1], Image.BICUBIC)
    noise = random.normal(0, 8, _PHOTO)
    pixels = np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{i:05}.jpg", quality=85)
  return sorted(map(str, folder.iterdir()))


def _loop(module: str, files: list[str]) -> Callable[[], Any]:
  resizer = resizing.Resizer(_SIZE, _SIZE, resizing.BILINEAR)
  with quiet(), tf.Graph().as_default() as graph:
    images = tf.compat.v1.placeholder(tf.float32, [None, _SIZE, _SIZE, 3])
    features = hub.Module(module)(images)
    session = tf.compat.v1.Session(graph=graph)
    session.run(tf.compat.v1.global_variables_initializer())

  def ask():
    found = []
    for start in range(0, len(files), _BATCH_SIZE):
      batch = [
        resizer(decoding.decode(decoding.read(path)))
        for path in files[start : start + _BATCH_SIZE]
      ]
      found.append(session.run(features, {images: np.stack(batch)}))
    return np.concatenate(found)

  return ask


def _rows(module: str, files: list[str]) -> Callable[[], Any]:
  opened = hie.open_module(module)
  return lambda: [row.values for row in opened.rows(files)]


def _spark(module: str, files: list[str]) -> Callable[[], Any]:
  from hub_image_export.spark import module_udf, start_session

  spark = start_session("local[2]")
  ask = module_udf(module)
  folder = os.path.dirname(files[0])
  output = folder + "_features.parquet"

  def write():
    images = spark.read.format("binaryFile").load(folder)
    rows = images.select("path", ask("content").alias("m"))
    rows.select("path", "m.*").write.mode("overwrite").parquet(output)

  return write


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--photos", type=int, default=600)
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--spark", action="store_true")
  flags = parser.parse_args()
  measure.tell(run(flags.photos, flags.rounds, flags.spark))


if __name__ == "__main__":
  main()
