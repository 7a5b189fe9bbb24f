# SPDX-License-Identifier: Apache-2.0
"""Files of results: `.parquet`, `.npz`, `.csv`.

Each has a row for each image: its path, the output, an error instead of it
where the image could not be used, and for classifiers the best class with its
score. How they came about (module, signature, image size, way of resizing)
stands in the metadata of the file; in `.csv`, which has none, in a column.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Callable

import numpy as np

from hub_image_export.errors import extra_missing
from hub_image_export.serving.answers import Answers
from hub_image_export.serving.image_module import ImageModule, Row

METADATA = "hub_image_export"
_ROWS_AT_ONCE = 1024
PathsAndRows = Iterable[tuple[str, Row]]


def metadata(
  module: ImageModule, signature: str | None, output: str
) -> dict[str, Any]:
  """How results of a module came about."""
  return {
    "module": module.path,
    "signature": signature or "default",
    "output": output,
    "shape": list(module.output_shape(signature, output)),
    "image_size": list(module.image_size),
    "resize": module.resize,
  }


def write_parquet(
  file: BinaryIO,
  rows: PathsAndRows,
  answers: Answers,
  description: Mapping[str, Any],
) -> None:
  """As `path, values, error` and, for classifiers, `label, score`."""
  pa = arrow()
  import pyarrow.parquet as pq

  fields = [
    ("path", pa.string()),
    ("values", pa.list_(pa.float32())),
    ("error", pa.string()),
  ]
  if answers.is_classifier:
    fields += [("label", pa.string()), ("score", pa.float32())]
  schema = pa.schema(fields, {METADATA: json.dumps(dict(description))})
  with pq.ParquetWriter(file, schema) as writer:
    for paths, several in _chunks(rows):
      columns = {"path": paths, **answers.columns(several)}
      writer.write_table(pa.table(columns, schema))


def write_npz(
  file: BinaryIO,
  rows: PathsAndRows,
  answers: Answers,
  description: Mapping[str, Any],
) -> None:
  """Arrays `paths, values, errors, labels, metadata`; NaN where none are.

  All values are in memory until the last one is there.
  """
  del answers
  shape = tuple(description["shape"])
  paths, values, errors = [], [], []
  for path, row in rows:
    paths.append(path)
    errors.append(row.error or "")
    nothing = np.full(shape, np.nan, np.float32)
    values.append(nothing if row.values is None else row.values)
  np.savez(
    file,
    paths=np.array(paths),
    values=np.stack(values),
    errors=np.array(errors),
    metadata=np.array(json.dumps(dict(description))),
  )


def write_csv(
  file: BinaryIO,
  rows: PathsAndRows,
  answers: Answers,
  description: Mapping[str, Any],
) -> None:
  """As `path, error, label, score, resize, 0, 1, …`: a column each number."""
  text = io.TextIOWrapper(file, "utf-8", newline="", write_through=True)
  writer = csv.writer(text)
  width = int(np.prod(description["shape"]))
  best = ["label", "score"] if answers.is_classifier else []
  writer.writerow(["path", "error", *best, "resize", *map(str, range(width))])
  for paths, several in _chunks(rows):
    columns = answers.columns(several)
    for i, path in enumerate(paths):
      values = columns["values"][i]
      writer.writerow(
        [
          path,
          columns["error"][i],
          *(columns[name][i] for name in best),
          description["resize"],
          *([""] * width if values is None else map(str, values)),
        ]
      )
  text.detach()


WRITERS: dict[str, Callable[..., None]] = {
  ".parquet": write_parquet,
  ".npz": write_npz,
  ".csv": write_csv,
}


def arrow() -> Any:
  """The package pyarrow.

  Raises:
    ImportError: it is not installed; the message says how to get it.
  """
  try:
    import pyarrow
  except ImportError as error:
    what = "Parquet files are written by pyarrow, which cannot be imported"
    raise extra_missing(what, "photos", error) from error
  return pyarrow


def _chunks(rows: PathsAndRows) -> Iterator[tuple[list[str], list[Row]]]:
  rows = iter(rows)
  while chunk := list(itertools.islice(rows, _ROWS_AT_ONCE)):
    yield [path for path, _ in chunk], [row for _, row in chunk]
