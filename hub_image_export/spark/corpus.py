# SPDX-License-Identifier: Apache-2.0
"""A module over a corpus of photos: nothing is lost, nothing is there twice.

Spark reads, schedules, tries again and writes. Three things it does would lose
photos or results without a word, and are seen to here: its reader leaves out
empty files and those with hidden names, `overwrite` deletes the old result
first, and what a killed job has written looks like a result.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from hub_image_export import arguments
from hub_image_export.errors import ImageExportError
from hub_image_export.serving import decoding, image_files, results
from hub_image_export.serving.answers import Answers
from hub_image_export.serving.image_module import BATCH_SIZE
from hub_image_export.serving.opening import open_module
from hub_image_export.spark import places, sessions
from hub_image_export.spark.photos import Photos, read
from hub_image_export.spark.udf import answers_udf


def run(
  path: str | os.PathLike[str],
  images: Sequence[str],
  output: str,
  *,
  master: str,
  settings: Mapping[str, str] | None = None,
  signature: str | None = None,
  endpoint: str = "default",
  labels: Sequence[str] | None = None,
  batch_size: int = 32,
  resize: str = "bilinear",
  overwrite: bool = False,
) -> tuple[int, int]:
  """Writes what a module says of photos as a directory of Parquet files.

  The columns are `path, values, error` and, for classifiers, `label, score`;
  how they came about stands in the metadata of the column `values`. The result
  is written beside its place, counted, and then renamed.

  Args:
    path: as for `open_module`.
    images: files, folders and patterns that all machines see by these names;
      also URIs of file systems that Spark knows (hdfs://, s3a://).
    output: the directory; its name ends in .parquet.
    master, settings: as for `start_session`.
    signature, endpoint, labels, batch_size, resize: as for `run_module`.
    overwrite: replace the result of an earlier run.

  Returns:
    How many rows there are, and how many of them have an error.

  Raises:
    ValueError, TypeError, ImportError: wrong arguments, nothing was run.
    ExportError: the output is there, or cannot be written.
    ImageExportError: Spark gave up, or the module does not load on executors.
  """
  arguments.check_name("master", master, "a master of Spark's")
  arguments.check_mapping("settings", settings or {})
  arguments.check_size("batch_size", batch_size)
  arguments.check_path("output", output, "a directory for Parquet files")
  decoding.pillow()
  # What can be seen without Spark, which takes ten seconds to start.
  places.check_local(output, overwrite)
  for name in images:
    if not arguments.is_remote(name):
      image_files.matches(name)
  with open_module(path, resize=resize) as module:
    answers = Answers.of(module, signature, endpoint, labels)
    description = results.metadata(module, signature, endpoint)
  # What goes to Python together can run together.
  together = {sessions.TOGETHER: str(max(batch_size, BATCH_SIZE))}
  spark = sessions.start_session(master, {**together, **(settings or {})})
  try:
    place = places.Place(spark, output, overwrite)
    photos = Photos.of(spark, images)
    asked = {
      "signature": signature,
      "output": endpoint,
      "batch_size": batch_size,
    }
    ask = answers_udf(path, asked, resize, answers)
    return _write(
      spark,
      read(spark, photos),
      ask,
      answers,
      description,
      place,
      len(photos.files),
    )
  except (ImageExportError, ValueError, TypeError):
    raise
  except Exception as error:  # Of Java, by way of Python.
    raise ImageExportError(
      f"Spark gave up, and nothing is written: {sessions.reason(error)}"
    ) from error
  finally:
    spark.stop()


def _write(
  spark: Any,
  frame: Any,
  ask: Any,
  answers: Answers,
  description: dict[str, Any],
  place: places.Place,
  expected: int,
) -> tuple[int, int]:
  F = sessions.functions()

  rows = frame.select("path", "told", ask("content").alias("a"))
  others = [n for n in answers.columns([]) if n not in ("values", "error")]
  rows = rows.select(
    "path",
    F.col("a.values").alias("values", metadata={results.METADATA: description}),
    F.coalesce("told", "a.error").alias("error"),
    *(F.col(f"a.{name}").alias(name) for name in others),
  )
  with place.beside() as beside:
    rows.write.parquet(beside)
    written = spark.read.parquet(beside)
    count, distinct, broken = written.agg(
      F.count("*"), F.count_distinct("path"), F.count("error")
    ).first()
    if not count == distinct == expected:
      raise ImageExportError(
        f"Spark wrote {count} rows of {distinct} images, and {expected} were "
        "found: nothing is kept. Did files come or go meanwhile, or do the "
        "machines not share the place of the output?"
      )
    place.commit(beside)
  return count, broken
