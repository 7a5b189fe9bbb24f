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

import warnings
from collections.abc import Sequence

from hub_image_export import arguments, progress
from hub_image_export.command_line import (
  photo_answers,
  photo_flags,
  run as command_line,
  start_up,
)

EXIT_BROKEN_IMAGES = 2


def main(argv: Sequence[str]) -> int:
  """Runs the module `argv[1]` on the images `argv[2:]`."""
  if len(argv) < 3:
    raise ValueError(
      "Got no module and no image; expected both, as in: run_module "
      "path/to/module photo.jpg"
    )
  module, images = argv[1], argv[2:]
  if photo_flags.SPARK_CONF.value and not photo_flags.MASTER.value:
    raise ValueError("--spark_conf is given without --master: expected both")
  _quiet_pillow()
  with arguments.written_as(photo_flags.write):
    broken = (_on_spark if photo_flags.MASTER.value else _here)(module, images)
  return EXIT_BROKEN_IMAGES if broken else command_line.EXIT_OK


def _here(path: str, images: Sequence[str]) -> int:
  """Runs it in this process; returns how many images are broken."""
  command_line.import_tensorflow()
  from hub_image_export.export import labels as labels_lib
  from hub_image_export.files.new_file import check_new_file, new_file
  from hub_image_export.serving import decoding, image_files, results
  from hub_image_export.serving.answers import Answers
  from hub_image_export.serving.opening import open_module

  output, overwrite = photo_flags.OUTPUT.value, photo_flags.OVERWRITE.value
  suffix = ""
  if output:
    suffix = photo_flags.suffix(output, results.WRITERS)
    check_new_file(output, suffix, overwrite=overwrite, name="--output")
    if suffix == ".parquet":
      results.arrow()
  elif overwrite:
    raise ValueError("--overwrite is given without --output: expected both")
  labels = labels_lib.resolve(photo_flags.LABELS.value)
  files = image_files.listed(images)
  decoding.pillow()
  with open_module(path, resize=photo_flags.RESIZE.value) as module:
    asked: tuple[str | None, str]
    asked = photo_flags.SIGNATURE.value, photo_flags.ENDPOINT.value
    answers = Answers.of(module, *asked, labels)
    description = results.metadata(module, *asked)
    given = progress.shown(files, "Images") if output else files
    counter = photo_answers.Counter(
      zip(
        map(image_files.readable, files),
        module.rows(
          given,
          signature=asked[0],
          output=asked[1],
          batch_size=photo_flags.BATCH_SIZE.value,
        ),
      )
    )
    if output:
      with new_file(output, suffix, overwrite=overwrite) as file:
        results.WRITERS[suffix](file, counter, answers, description)
      photo_answers.tell_output(counter.count, counter.broken)
    elif photo_flags.FORMAT.value == "json":
      photo_answers.print_json(counter, answers, description)
    else:
      photo_answers.print_text(counter, answers)
  photo_answers.tell_broken(counter.count, counter.broken)
  return counter.broken


def _on_spark(path: str, images: Sequence[str]) -> int:
  """Runs it on Spark; returns how many images are broken."""
  from hub_image_export import spark
  from hub_image_export.export import labels as labels_lib

  output, overwrite = photo_flags.OUTPUT.value, photo_flags.OVERWRITE.value
  if not output:
    raise ValueError(
      "--master is given without --output: expected both, as in: "
      "--output=features.parquet"
    )
  photo_flags.suffix(output, [".parquet"])
  labels = labels_lib.resolve(photo_flags.LABELS.value)
  counts = spark.run(
    path,
    images,
    output,
    master=photo_flags.MASTER.value or "",
    settings=photo_flags.settings(),
    signature=photo_flags.SIGNATURE.value,
    endpoint=photo_flags.ENDPOINT.value,
    labels=labels,
    batch_size=photo_flags.BATCH_SIZE.value,
    resize=photo_flags.RESIZE.value,
    overwrite=overwrite,
  )
  photo_answers.tell_output(*counts)
  photo_answers.tell_broken(*counts)
  return counts[1]


def _quiet_pillow() -> None:
  """Large photos are what people have; what is broken is told in a row."""
  warnings.filterwarnings("ignore", module=r"PIL\..*")


def cli() -> None:
  """The entry point of the script `run_module`."""
  quiet = start_up.quietly(main)
  command_line.end(command_line.run(quiet, photo_flags.FLAGS, __doc__))


if __name__ == "__main__":
  cli()
