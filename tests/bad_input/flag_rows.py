# SPDX-License-Identifier: Apache-2.0
"""The flags of the scripts: values are texts, as a shell gives them.

Scripts tell what is wrong in one line and give the exit code 1. A flag that is
text has no wrong type; one that is a boolean has no wrong value.
"""

from __future__ import annotations

from typing import Any

from hub_image_export import export_module
from hub_image_export.command_line import (
  check_module,
  export_flags,
  photo_flags,
  run_module,
)
from tests.bad_input.row import TYPE, VALUE, Made, Row, file
from tests.bad_input.values import too_long

EXPORT, CHECK, RUN = "export_module", "check_module", "run_module"
SCRIPTS = {
  EXPORT: (export_module, export_flags.FLAGS),
  CHECK: (check_module, check_module._FLAGS),
  RUN: (run_module, photo_flags.FLAGS),
}
_KERAS = {"model": file("model.keras"), "height": None, "width": None}
_NETWORK = Made("network", lambda place: f"{place.directory}/nets.py:network")
_BELOW_A_FILE = Made("below", lambda place: f"{place.directory}/file/1")
_CLASSES = {"task": "classification"}
_WEIGHTS = {"checkpoint": file("weights.npz")}
_PAGE = {
  "page": "{target}/1.md",
  "handle": "my-lab/pets/1",
  "asset_path": "https://example.com/1.tar.gz",
}


def _rows(
  script: str, case: str, flag: str, values: list[Any], *words: str, **others
) -> list[Row]:
  return [
    Row(script, flag, case, value, SystemExit, words, others)
    for value in values
  ]


def _value(flag: str, values: list[Any], *words: str, **others) -> list[Row]:
  return _rows(EXPORT, VALUE, flag, values, *words, **others)


def _type(script: str, flags: str, values: list[str], *words: str) -> list[Row]:
  return [
    row
    for flag in flags.split()
    for row in _rows(script, TYPE, flag, values, *words)
  ]


def _empty(flags: str) -> list[Row]:
  """What is left of `--flag=$NAME` where the shell knows no NAME."""
  return [row for f in flags.split() for row in _value(f, [""], "is empty")]


_TYPES = (
  *_type(
    EXPORT,
    "variable_size training bn_hparams allow_custom_gradients overwrite "
    "verify check ema strict debug dry_run split_groups",
    ["perhaps", "2", "None", ""],
    "expected true or false",
  ),
  *_type(
    CHECK, "static strict debug", ["perhaps", "2", ""], "expected true or false"
  ),
  *_type(
    EXPORT, "height width num_classes", ["tall", "2.5", ""], "positive integer"
  ),
  *_type(CHECK, "timeout", ["soon", "", "1s"], "expected number >= 0.1"),
  *_type(CHECK, "jobs", ["many", "2.5", ""], "positive integer"),
)
_SIZES = (
  *_value("height", ["0", "-1"], "positive integer"),
  *_value("width", ["0", "-1"], "positive integer"),
  *_value("height", ["2147483648", "99999999999999999999"], "2**31"),
  *_value("width", ["2147483648", "999999999"], "2**31"),
  *_value("num_classes", ["0", "-1"], "positive integer", **_CLASSES),
  *_value("num_classes", ["2147483648"], "2**31", **_CLASSES),
  *_value("num_classes", ["4"], "3 scores", **_CLASSES),
  *_value("num_classes", ["3"], "is for classifiers"),
)
_MODEL = (
  *_empty(
    "model export_path weights labels arch_name endpoints feature_layer "
    "preprocess drop_collections checkpoint checkpoint_prefix checkpoint_map "
    "archive page handle asset_path description license network dataset scores "
    "class_definition output publish_dir example language results images"
  ),
  *_value("model", [None], "is missing"),
  *_value("model", ["MobilNetV2"], "Did you mean MobileNetV2"),
  *_value("model", ["nowhere.keras", "no/such.py:net"], "No file"),
  *_value("model", ["MobilNetV2"], "Did you mean", weights="random"),
  *_value("model", ["MobilNetV2"], "Did you mean", checkpoint="/no/such"),
  *_value("model", ["MobilNetV2"], "Did you mean", labels=file("labels")),
  *_value("model", ["gs://bucket/model"], "Copy it here"),
  *_value("model", [file("nets.py")], ":name"),
  *_value("model", [file("plain")], "tfhub_module.pb", "saved_model.pb"),
  *_value("model", [file("damaged")], "cannot be read"),
  *_value("model", [_NETWORK], "give --height", height=None),
  *_value("export_path", [None], "is missing"),
  *_value("export_path", ["gs://bucket/module"], "not local"),
  *_value("export_path", too_long(), "at most"),
  *_value("export_path", [file("file"), file("plain")], "exists"),
  *_value("export_path", [file("plain")], "no module", overwrite=True),
  *_value("task", ["segmentation", "Classification", ""], "expected one of"),
  *_value("weights", ["random"], "Applications only"),
  *_value("weights", ["imagnet"], "mean imagenet", model="MobileNetV2"),
  *_rows(EXPORT, VALUE, "export_path", [_BELOW_A_FILE], "A parent"),
  *_value("format", ["text", "hub,xml", "JSON", ""], "expected some of"),
  *_value("weights", ["random"], "expected one", **_WEIGHTS),
)
_BUILDER = (
  *_value("labels", ["/no/such", file("plain")], "file", **_CLASSES),
  *_value("labels", [file("latin")], "not UTF-8", **_CLASSES),
  *_value("labels", [file("labels")], "is for classifiers"),
  *_value("arch_name", ["Net/", " ", "a\nb"], "InceptionV3"),
  *_value("endpoints", ["a,,b"], "none of them empty"),
  *_value("endpoints", ["konv"], "Did you mean", **_KERAS),
  *_value("feature_layer", ["konv"], "Did you mean", **_KERAS),
  *_value("feature_layer", ["pool"], "is for features", **_CLASSES),
  *_value("output", ["scores"], "expected one of 'default'"),
  *_value("output", ["scores"], "--feature_layer", task="all"),
  *_value("images", ["input:0"], "is for meta graphs"),
  *_value("preprocess", ["tff", "TF"], "expected one of"),
  *_value("preprocess", ["a/b", "0.5/", "/", "1,2,/1"], "expected numbers"),
  *_value("preprocess", ["0.5/0", "0.5/-1"], "zero or a negative"),
  *_value("preprocess", ["127.5/127.5"], "divide mean"),
  *_value("preprocess", ["0.5,0.5/1", "nan/1"], "a finite number"),
  *_value("drop_collections", ["variables", "a,update_ops"], "Leave them"),
)
_CHECKPOINT = (
  *_value("checkpoint", ["/no/such", file("plain")], "expected the prefix"),
  *_value("checkpoint", ["gs://bucket/model"], "on this machine"),
  *_value("checkpoint", [file("damaged")], "has no index"),
  *_value("checkpoint_prefix", ["p"], "give --checkpoint"),
  *_value("checkpoint_map", [file("badmap")], "give --checkpoint"),
  *_value(
    "checkpoint_map", ["/no/such", file("plain")], "a text file", **_WEIGHTS
  ),
  *_value(
    "checkpoint_map", [file("latin"), file("file")], "expected", **_WEIGHTS
  ),
  Row(
    EXPORT,
    "checkpoint_map",
    VALUE,
    file("badmap"),
    SystemExit,
    ("a regular expression",),
    _WEIGHTS,
    got="'['",
  ),
  *_value("checkpoint_map", [file("empty")], "expected rules", **_WEIGHTS),
)
_PUBLISH = (
  *_value("archive", ["m.zip", ".tar.gz"], "ends in .tar.gz"),
  *_value("archive", ["/no/such/m.tar.gz"], "no directory"),
  *_value("archive", ["gs://bucket/m.tar.gz"], "on this machine"),
  *_value("archive", [file("there.tar.gz")], "exists"),
  *_value("page", ["1.txt", ".md"], "ends in .md", **_PAGE),
  *_value("page", ["/no/such/1.md"], "no directory", **_PAGE),
  *_value("page", [file("there.md")], "exists", **_PAGE),
  *_value("page", [None], "without --page", **_PAGE),
  *_value("handle", ["pets", "My-Lab/pets/1"], "expected", **_PAGE),
  *_value("handle", [None], "is missing: expected", **_PAGE),
  *_value("asset_path", ["1.tar.gz", "gs://a/1.zip"], "expected", **_PAGE),
  *_value("asset_path", [None], "is missing: expected", **_PAGE),
  *_value("description", [" "], "a paragraph", **_PAGE),
  *_value("license", ["MIT License", "x"], "expected", **_PAGE),
  *_value("license", ["mit"], "without --page"),
  *_value("network", ["my-net"], "expected", **_PAGE),
  *_value("dataset", ["my-data"], "expected", **_PAGE),
  *_value("scores", ["probabilities"], "softmax", **_PAGE),
  *_value("class_definition", ["labels.txt"], "https://", **_PAGE),
  *_value("language", ["English"], "ISO 639", **_PAGE),
  *_value("results", ["0.97", "accuracy="], "metric=number", **_PAGE),
  *_value("page_format", ["hub", "TFHUB", ""], "one of"),
  *_value("example", ["/no/such", file("file")], "example is", **_PAGE),
  Row(
    EXPORT,
    "example",
    VALUE,
    file("photo.png"),
    SystemExit,
    ("nor an endpoint",),
    _PAGE,
    got="example",
  ),
  *_value("publish_dir", ["gs://bucket/out"], "on this machine", **_PAGE),
  *_value("publish_dir", [file("file"), file("plain")], "exists", **_PAGE),
)
_CHECKER = (
  *_rows(CHECK, VALUE, "format", ["xml", "JSON", ""], "one of text, json"),
  *_rows(CHECK, VALUE, "timeout", ["0", "-1", "nan"], "number"),
  *_rows(CHECK, VALUE, "jobs", ["0", "-1"], "positive integer"),
)
_SPARK = {"master": "local[1]", "output": "{target}/a.parquet"}
_RUNNER = (
  *_type(RUN, "overwrite", ["perhaps", "2", ""], "expected true or false"),
  *_type(RUN, "top batch_size", ["many", "2.5", ""], "positive integer"),
  *_rows(RUN, VALUE, "top", ["0", "-1"], "positive integer"),
  *_rows(RUN, VALUE, "batch_size", ["0", "2147483648"], "integer"),
  *_rows(RUN, VALUE, "format", ["xml", ""], "one of text, json"),
  *_rows(RUN, VALUE, "resize", ["area", ""], "one of bilinear, antialias"),
  *_rows(RUN, VALUE, "output", ["a.txt", ".csv.gz"], "a name that ends in"),
  *_rows(RUN, VALUE, "output", ["/no/such/a.csv"], "there is no directory"),
  *_rows(RUN, VALUE, "output", [""], "is empty"),
  *_rows(RUN, VALUE, "output", ["a.npz"], ".parquet", master="local[1]"),
  *_rows(RUN, VALUE, "signature", ["imge"], "expected one of"),
  *_rows(RUN, VALUE, "endpoint", ["conv"], "expected one of"),
  *_rows(RUN, VALUE, "labels", [file("latin")], "UTF-8"),
  *_rows(RUN, VALUE, "labels", ["/no/such"], "cannot be read"),
  *_rows(RUN, VALUE, "master", [""], "is empty"),
  *_rows(RUN, VALUE, "master", ["a\nb"], "printable", output="a.parquet"),
  *_rows(RUN, VALUE, "spark_conf", ["a", "=b"], "key=value", **_SPARK),
)
ROWS = (
  *_TYPES,
  *_SIZES,
  *_MODEL,
  *_BUILDER,
  *_CHECKPOINT,
  *_PUBLISH,
  *_CHECKER,
  *_RUNNER,
)
