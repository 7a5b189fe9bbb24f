# SPDX-License-Identifier: Apache-2.0
"""A module as a function on a column of encoded images."""

from __future__ import annotations

import functools
import gc
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any

from hub_image_export import arguments
from hub_image_export.errors import ImageExportError
from hub_image_export.files.listing import sha256_of
from hub_image_export.serving.answers import Answers
from hub_image_export.serving.image_module import BATCH_SIZE, ImageModule
from hub_image_export.serving.opening import directory_of, open_module
from hub_image_export.spark import sessions

_COLUMNS = {
  "values": "array<float>",
  "error": "string",
  "label": "string",
  "score": "float",
}
# Archives of modules, which Spark fetches from here as long as it runs.
_shipped: dict[tuple[str, str], tempfile.TemporaryDirectory[str]] = {}


def module_udf(
  path: str | os.PathLike[str],
  signature: str | None = None,
  output: str = "default",
  *,
  batch_size: int = BATCH_SIZE,
  resize: str = "bilinear",
) -> Any:
  """A module as a pandas UDF: encoded images in, a struct out.

  The module is read and tried here, goes to the executors with Spark's own
  files (the path need not be shared), and is tried there, by a small job. Each
  Python worker loads it once, and uses as many threads as a task has
  processors.

  Args:
    path: as for `hie.open_module`.
    signature, output: which output; of what the module has, the primary task's
      by default.
    batch_size: of images that run together; the session's setting
      spark.sql.execution.arrow.maxRecordsPerBatch bounds it (32, where
      `start_session` made it).
    resize: as for `hie.open_module`.

  Returns:
    A function of a column of bytes, such as `content` of `spark.read.format(
    "binaryFile")`: `struct<values: array<float>, error: string>`. Of a broken
    image, or NULL, `values` is NULL and `error` says why. Outputs of several
    dimensions are flat.

  Raises:
    ValueError, TypeError: as `open_module` and its rows; no session runs.
    ImageExportError: it does not load on an executor.
    ImportError: pyspark or Pillow is missing.
  """
  with _tried(path, resize, batch_size) as module:
    module.output_shape(signature, output)
  asked = {"signature": signature, "output": output, "batch_size": batch_size}
  return answers_udf(path, asked, resize, Answers(False))


def _tried(
  path: str | os.PathLike[str], resize: str, batch_size: int
) -> ImageModule:
  arguments.check_size("batch_size", batch_size)
  return open_module(path, resize=resize)


def answers_udf(
  path: str | os.PathLike[str],
  asked: dict[str, Any],
  resize: str,
  answers: Answers,
) -> Any:
  """Like `module_udf`, for what was tried; with `label` and `score`."""
  spark = sessions.pyspark().sql.SparkSession.getActiveSession()
  if spark is None:
    raise ValueError(
      "no session of Spark is running: expected one, as start_session or "
      "SparkSession.builder.getOrCreate() give it"
    )
  import pandas as pd

  file = _ship(spark, os.fspath(path))
  _try_on_executors(spark, file, resize)
  names = list(answers.columns([]))

  def run(batches: Any) -> Any:
    for columns in _rows(batches, file, asked, resize, answers):
      yield pd.DataFrame(columns, columns=names)

  # Spark goes by the types, which are texts here.
  run.__annotations__ = {
    "batches": Iterator[pd.Series],
    "return": Iterator[pd.DataFrame],
  }
  types = ", ".join(f"{n} {_COLUMNS[n]}" for n in names)
  return sessions.functions().pandas_udf(run, types)


def _ship(spark: Any, path: str) -> str:
  """Gives the module to Spark; returns the name that executors know."""
  folder = tempfile.TemporaryDirectory(prefix="spark_module_")
  archive = os.path.join(folder.name, "module.tar")
  with (
    directory_of(path) as directory,
    # Weights hardly compress. Caches have links for files.
    tarfile.open(archive, "w", dereference=True) as tar,
  ):
    tar.add(directory, arcname=".")
  name = f"module_{sha256_of(archive)[:20]}.tar"
  key = spark.sparkContext.applicationId, name
  if key not in _shipped:
    _shipped[key] = folder
    os.rename(archive, os.path.join(folder.name, name))
    spark.sparkContext.addFile(os.path.join(folder.name, name))
  return name


def _try_on_executors(spark: Any, file: str, resize: str) -> None:
  """Loads the module in as many Python workers as there are.

  What it raised in a task, Spark would try four times. Spark's retries are for
  machines that die, and stay as they are.

  Raises:
    ImageExportError: it does not load in some of them.
  """
  import pandas as pd

  # Goes there by value, for this package may not be there.
  def attempt(numbers: Any) -> Any:
    import socket

    try:
      from hub_image_export.spark import udf

      udf._opened(file, resize)
      told = None
    except Exception as error:
      told = f"{socket.gethostname()}: {type(error).__name__}: {error}"
    return pd.Series([told] * len(numbers))

  attempt.__annotations__ = {"numbers": pd.Series, "return": pd.Series}
  count = spark.sparkContext.defaultParallelism
  ask = sessions.functions().pandas_udf(attempt, "string")
  rows = spark.range(0, count, 1, count).select(ask("id")).collect()
  told = [row[0] for row in rows if row[0] is not None]
  if told:
    raise ImageExportError(
      f"the module loads here, and not in {len(told)} of {count} tasks that "
      f"tried it: {' '.join(told[0].split())[:500]}. Expected Python with "
      "hub_image_export[spark] on each machine, as PYSPARK_PYTHON names it"
    )


def _rows(
  batches: Iterable[Any],
  file: str,
  asked: dict[str, Any],
  resize: str,
  answers: Answers,
) -> Iterator[dict[str, list[Any]]]:
  """What runs on an executor: columns for each batch of contents."""
  module = _opened(file, resize)
  for contents in batches:
    rows = list(module.rows(map(_content, contents), **asked))
    yield answers.columns(rows)


def _content(value: Any) -> Any:
  if value is None or isinstance(value, (bytes, bytearray)):
    return value
  raise TypeError(
    f"the column has {arguments.shown(value)} of type {type(value).__name__}: "
    "expected the bytes of image files, such as the column content of "
    "spark.read.format('binaryFile')"
  )


@functools.lru_cache(maxsize=2)
def _opened(file: str, resize: str) -> ImageModule:
  """The module, once for this Python worker, which runs many tasks."""
  from pyspark import SparkFiles, TaskContext

  context = TaskContext.get()
  threads = context.cpus() if context else 1
  module = open_module(SparkFiles.get(file), resize=resize, threads=threads)
  # Spark's worker collects garbage after each task: nearly half a second, if
  # it looks at all that TensorFlow has.
  gc.collect()
  gc.freeze()
  return module
