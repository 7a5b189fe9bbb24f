# SPDX-License-Identifier: Apache-2.0
"""The flags of `run_module`; imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterable

from absl import flags

from hub_image_export import arguments
from hub_image_export.command_line import flag_words

FLAGS = flags.FlagValues()
FORMAT = flags.DEFINE_enum(
  "format",
  "text",
  ["text", "json"],
  "What is written to stdout: text for people, or one JSON object.",
  flag_values=FLAGS,
)
OUTPUT = flags.DEFINE_string(
  "output",
  None,
  "File for all numbers, by its name: .parquet, .npz or .csv. With --master a "
  "directory of Parquet files, on any file system that the cluster shares.",
  flag_values=FLAGS,
)
OVERWRITE = flags.DEFINE_bool(
  "overwrite",
  False,
  "Replace the output, if there is one, when the new one is complete.",
  flag_values=FLAGS,
)
SIGNATURE = flags.DEFINE_string(
  "signature",
  None,
  "Which signature: image_classification, image_feature_vector … By default "
  "that of the module's primary task.",
  flag_values=FLAGS,
)
ENDPOINT = flags.DEFINE_string(
  "endpoint",
  "default",
  "Which of the signature's outputs: a hidden layer, for example.",
  flag_values=FLAGS,
)
TOP = flags.DEFINE_integer(
  "top",
  5,
  "How many classes are told of each image.",
  lower_bound=1,
  flag_values=FLAGS,
)
LABELS = flags.DEFINE_string(
  "labels",
  None,
  "Text file with the name of a class on each line, for modules that have "
  "none.",
  flag_values=FLAGS,
)
RESIZE = flags.DEFINE_enum(
  "resize",
  "bilinear",
  ["bilinear", "antialias"],
  "How images are resized: as most consumers of these modules do (hub's "
  "retrain.py), or over all pixels of the photo.",
  flag_values=FLAGS,
)
BATCH_SIZE = flags.DEFINE_integer(
  "batch_size",
  32,
  "How many images are run together.",
  lower_bound=1,
  flag_values=FLAGS,
)
MASTER = flags.DEFINE_string(
  "master",
  None,
  "Run it on Apache Spark: local[*], local[4], spark://host:7077, yarn …",
  flag_values=FLAGS,
)
SPARK_CONF = flags.DEFINE_multi_string(
  "spark_conf",
  [],
  "A setting of Spark's, key=value; may be given several times.",
  flag_values=FLAGS,
)


write = flag_words.writer(FLAGS, {"output": "endpoint"})


def settings() -> dict[str, str]:
  found = {}
  for text in SPARK_CONF.value:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
      raise arguments.wrong_value("--spark_conf", text, "key=value")
    found[key.strip()] = value
  return found


def suffix(output: str, known: Iterable[str]) -> str:
  """How the name ends, which says what kind of file it is."""
  for suffix in known:
    if output.rstrip("/").endswith(suffix):
      return suffix
  raise arguments.wrong_value(
    "--output", output, f"a name that ends in {', '.join(known)}"
  )
