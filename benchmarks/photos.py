# SPDX-License-Identifier: Apache-2.0
"""Photos per second: `run_module` and Spark against a plain loop.

  python -m benchmarks.photos --photos=600 --rounds=3 --spark
  python -m benchmarks.photos --memory

The loop is what people write: `hub.Module` in a session, the same decoding and
resizing, batches of 32, one after the other; it writes nothing. Ours are the
rows of `open_module`, and Spark's `local[2]` with Parquet files as a result.
All take turns. What it takes to start is told apart from what a photo takes.
`--memory` tells what a Python worker of Spark's has of it at most.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
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


def memory(batch_sizes=(1, 32, 128)) -> dict[str, dict[int, float]]:
  """The peak of a Python worker in MB, by module and batch size."""
  from hub_image_export.spark import start_session

  # Each task has a new Python worker.
  spark = start_session("local[1]", {"spark.python.worker.reuse": "false"})
  found = {}
  with tempfile.TemporaryDirectory() as folder:
    (photo,) = _write_photos(pathlib.Path(folder) / "photos", 1)
    content = pathlib.Path(photo).read_bytes()
    for name in ("MobileNetV2", "EfficientNetB0"):
      model = getattr(tf.keras.applications, name)(
        include_top=False, pooling="avg", weights=None
      )
      module = os.path.join(folder, name)
      spec = hie.make_feature_vector_module(model, 224, 224)
      spec.export(module, verify=False)
      found[name] = {
        size: _peak(spark, module, [content] * 4 * max(size, 32), size)
        for size in batch_sizes
      }
  return found


def _peak(
  spark: Any, module: str, contents: list[bytes], batch_size: int
) -> float:
  import pandas as pd

  from hub_image_export.serving.answers import Answers
  from hub_image_export.spark import sessions, udf

  file = udf._ship(spark, module)
  asked = {"signature": None, "output": "default", "batch_size": batch_size}

  def peaks(batches: Any) -> Any:
    for rows in udf._rows(batches, file, asked, "bilinear", Answers(False)):
      with open("/proc/self/status", encoding="ascii") as status:
        (peak,) = (line for line in status if line.startswith("VmHWM"))
      assert not any(rows["error"])
      yield pd.Series([int(peak.split()[1]) / 1000] * len(rows["error"]))

  peaks.__annotations__ = {
    "batches": Iterator[pd.Series],
    "return": Iterator[pd.Series],
  }
  spark.conf.set(sessions.TOGETHER, max(batch_size, 32))
  ask = sessions.functions().pandas_udf(peaks, "double")
  frame = spark.createDataFrame([(c,) for c in contents], "content binary")
  rows = frame.coalesce(1).select(ask("content")).collect()
  return max(row[0] for row in rows)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
  parser.add_argument("--photos", type=int, default=600)
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument("--spark", action="store_true")
  parser.add_argument("--memory", action="store_true")
  flags = parser.parse_args()
  if flags.memory:
    measure.tell(memory())
  else:
    measure.tell(run(flags.photos, flags.rounds, flags.spark))


if __name__ == "__main__":
  main()
