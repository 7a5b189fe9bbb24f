# SPDX-License-Identifier: Apache-2.0
"""Runs an image module on photos: one, a folder of them, or millions on Spark.

  run_module mobilenet/1 cat.jpg
  run_module --format=json https://example.com/pets_1.tar.gz 'photos/*.png'
  run_module --signature=image_feature_vector --output=features.parquet \\
      mobilenet/1 photos/
  run_module --master='local[*]' --output=features.parquet mobilenet/1 photos/

The first argument is the module: a directory in TF1 Hub format, an archive of
one, or a URL. The others are image files, folders, which are searched for all
files at any depth, and patterns.

A classifier tells the best classes with their scores: by softmax or sigmoid
if the module says which, as logits if not. Other outputs are told in short.
With --output all numbers go to a file: a row for each image, by its path.

Photos are turned upright, become RGB in [0, 1], and are resized to what the
module expects. An image that is broken is a row with its error. Exit code: 0
all images were used; 1 nothing was run (bad flags, no module); 2 some images
could not be used, and how many is told at the end.

--master runs it on Apache Spark (pip install "hub_image_export[spark]"):
`local[*]` on this machine, `spark://host:7077` and others on a cluster, whose
machines have this package. docs/corpus.md tells of sizes and of failures.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from absl import flags

from hub_image_export import arguments, progress
from hub_image_export.command_line import run as command_line, start_up

EXIT_BROKEN_IMAGES = 2

_FLAGS = flags.FlagValues()
_FORMAT = flags.DEFINE_enum(
  "format",
  "text",
  ["text", "json"],
  "What is written to stdout: text for people, or one JSON object.",
  flag_values=_FLAGS,
)
_OUTPUT = flags.DEFINE_string(
  "output",
  None,
  "File for all numbers, by its name: .parquet, .npz or .csv. With --master a "
  "directory of Parquet files, on any file system that the cluster shares.",
  flag_values=_FLAGS,
)
_OVERWRITE = flags.DEFINE_bool(
  "overwrite",
  False,
  "Replace the output, if there is one, when the new one is complete.",
  flag_values=_FLAGS,
)
_SIGNATURE = flags.DEFINE_string(
  "signature",
  None,
  "Which signature: image_classification, image_feature_vector … By default "
  "that of the module's primary task.",
  flag_values=_FLAGS,
)
_ENDPOINT = flags.DEFINE_string(
  "endpoint",
  "default",
  "Which of the signature's outputs: a hidden layer, for example.",
  flag_values=_FLAGS,
)
_TOP = flags.DEFINE_integer(
  "top",
  5,
  "How many classes are told of each image.",
  lower_bound=1,
  flag_values=_FLAGS,
)
_LABELS = flags.DEFINE_string(
  "labels",
  None,
  "Text file with the name of a class on each line, for modules that have "
  "none.",
  flag_values=_FLAGS,
)
_RESIZE = flags.DEFINE_enum(
  "resize",
  "bilinear",
  ["bilinear", "antialias"],
  "How images are resized: as most consumers of these modules do (hub's "
  "retrain.py), or over all pixels of the photo.",
  flag_values=_FLAGS,
)
_BATCH_SIZE = flags.DEFINE_integer(
  "batch_size",
  32,
  "How many images are run together.",
  lower_bound=1,
  flag_values=_FLAGS,
)
_MASTER = flags.DEFINE_string(
  "master",
  None,
  "Run it on Apache Spark: local[*], local[4], spark://host:7077, yarn …",
  flag_values=_FLAGS,
)
_SPARK_CONF = flags.DEFINE_multi_string(
  "spark_conf",
  [],
  "A setting of Spark's, key=value; may be given several times.",
  flag_values=_FLAGS,
)


def main(argv: Sequence[str]) -> int:
  """Runs the module `argv[1]` on the images `argv[2:]`."""
  if len(argv) < 3:
    raise ValueError(
      "Got no module and no image; expected both, as in: run_module "
      "path/to/module photo.jpg"
    )
  module, images = argv[1], argv[2:]
  if _SPARK_CONF.value and not _MASTER.value:
    raise ValueError("--spark_conf is given without --master: expected both")
  _quiet_pillow()
  with arguments.written_as(_write):
    broken = (_on_spark if _MASTER.value else _here)(module, images)
  return EXIT_BROKEN_IMAGES if broken else command_line.EXIT_OK


def _write(argument: str, *value: Any) -> str:
  """How messages call an argument: by the flag that it was given with."""
  name = {"output": "endpoint"}.get(argument, argument)
  name = f"--{name}" if name in _FLAGS else argument
  return f"{name}={value[0]}" if value else name


def _here(path: str, images: Sequence[str]) -> int:
  """Runs it in this process; returns how many images are broken."""
  # TensorFlow comes with these, which --help must not wait for.
  from hub_image_export.export import labels as labels_lib
  from hub_image_export.files.new_file import check_new_file, new_file
  from hub_image_export.serving import decoding, image_files, results
  from hub_image_export.serving.answers import Answers
  from hub_image_export.serving.opening import open_module

  output = _OUTPUT.value
  suffix = ""
  if output:
    suffix = _suffix(output, results.WRITERS)
    check_new_file(output, suffix, overwrite=_OVERWRITE.value, name="--output")
    if suffix == ".parquet":
      results.arrow()
  elif _OVERWRITE.value:
    raise ValueError("--overwrite is given without --output: expected both")
  labels = labels_lib.resolve(_LABELS.value)
  files = image_files.listed(images)
  decoding.pillow()
  with open_module(path, resize=_RESIZE.value) as module:
    asked: tuple[str | None, str] = _SIGNATURE.value, _ENDPOINT.value
    answers = Answers.of(module, *asked, labels)
    description = results.metadata(module, *asked)
    given = progress.shown(files, "Images") if output else files
    counter = _Counter(
      zip(
        map(image_files.readable, files),
        module.rows(
          given,
          signature=asked[0],
          output=asked[1],
          batch_size=_BATCH_SIZE.value,
        ),
      )
    )
    if output:
      with new_file(output, suffix, overwrite=_OVERWRITE.value) as file:
        results.WRITERS[suffix](file, counter, answers, description)
      _tell_output(counter.count, counter.broken)
    elif _FORMAT.value == "json":
      _print_json(counter, answers, description)
    else:
      _print_text(counter, answers)
  _tell_broken(counter.count, counter.broken)
  return counter.broken


def _on_spark(path: str, images: Sequence[str]) -> int:
  """Runs it on Spark; returns how many images are broken."""
  from hub_image_export import spark
  from hub_image_export.export import labels as labels_lib

  output = _OUTPUT.value
  if not output:
    raise ValueError(
      "--master is given without --output: expected both, as in: "
      "--output=features.parquet"
    )
  _suffix(output, [".parquet"])
  labels = labels_lib.resolve(_LABELS.value)
  counts = spark.run(
    path,
    images,
    output,
    master=_MASTER.value or "",
    settings=_settings(),
    signature=_SIGNATURE.value,
    endpoint=_ENDPOINT.value,
    labels=labels,
    batch_size=_BATCH_SIZE.value,
    resize=_RESIZE.value,
    overwrite=_OVERWRITE.value,
  )
  _tell_output(*counts)
  _tell_broken(*counts)
  return counts[1]


def _settings() -> dict[str, str]:
  found = {}
  for text in _SPARK_CONF.value:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
      raise arguments.wrong_value("--spark_conf", text, "key=value")
    found[key.strip()] = value
  return found


def _suffix(output: str, known: Iterable[str]) -> str:
  """How the name ends, which says what kind of file it is."""
  for suffix in known:
    if output.rstrip("/").endswith(suffix):
      return suffix
  raise arguments.wrong_value(
    "--output", output, f"a name that ends in {', '.join(known)}"
  )


class _Counter:
  """Paths and rows, counted on their way."""

  def __init__(self, rows: Iterable[tuple[str, Any]]) -> None:
    self._rows = rows
    self.count = self.broken = 0

  def __iter__(self) -> Iterator[tuple[str, Any]]:
    for path, row in self._rows:
      self.count += 1
      self.broken += row.error is not None
      yield path, row


def _print_text(rows: Iterable[tuple[str, Any]], answers: Any) -> None:
  from hub_image_export.serving.answers import name_of, summary

  for path, row in rows:
    if row.error is not None:
      lines = [f"{path}: error: {row.error}"]
    elif answers.is_classifier:
      best = answers.top(row.values, _TOP.value)
      lines = [path] + [f"  {s.score:9.4f}  {name_of(s)}" for s in best]
    else:
      lines = [f"{path}: {summary(row.values)}"]
    print("\n".join(map(arguments.printable, lines)), flush=True)


def _print_json(
  rows: Iterable[tuple[str, Any]], answers: Any, description: dict[str, Any]
) -> None:
  """One object; each image on a line of its own, as soon as it is known."""
  from hub_image_export.serving.answers import plain

  start = json.dumps({**description, "activation": answers.activation})
  print(start[:-1] + ', "images": [', end="")
  separator = "\n"
  for path, row in rows:
    item: dict[str, Any] = {"path": path}
    if row.error is not None:
      item["error"] = row.error
    elif answers.is_classifier:
      item["top"] = [
        {**vars(s), "score": plain(s.score)}
        for s in answers.top(row.values, _TOP.value)
      ]
    else:
      item["values"] = plain(row.values)
    print(separator + json.dumps(item), end="", flush=True)
    separator = ",\n"
  print("\n]}")


def _tell_output(count: int, broken: int) -> None:
  if _FORMAT.value == "json":
    told = {"output": _OUTPUT.value, "images": count, "errors": broken}
    print(json.dumps(told))
  else:
    text = f"{count} rows, {broken} with errors: {_OUTPUT.value}"
    print(command_line.for_terminal(text))


def _tell_broken(count: int, broken: int) -> None:
  if broken:
    print(f"{broken} of {count} images could not be used", file=sys.stderr)


def _quiet_pillow() -> None:
  """Large photos are what people have; what is broken is told in a row."""
  warnings.filterwarnings("ignore", module=r"PIL\..*")


def cli() -> None:
  """The entry point of the script `run_module`."""
  sys.exit(command_line.run(start_up.quietly(main), _FLAGS, __doc__))


if __name__ == "__main__":
  cli()
