# SPDX-License-Identifier: Apache-2.0
"""The arguments of what takes a finished module."""

from __future__ import annotations

import math

import numpy as np

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.bad_input import values
from tests.bad_input.row import (
  Made,
  Row,
  Values,
  beyond,
  file,
  good,
  rows,
  types,
  wrong,
)
from tests.support.models import CLASSES, FEATURES

_SPEC = Made("spec", lambda place: place.spec)
_EITHER = "True or False"


def _path() -> list[Values]:
  """What is wrong wherever the path of something local is expected."""
  return [
    types([None, *values.NOT_PATHS], "the path of"),
    beyond(values.BAD_PATHS, "the path of"),
  ]


def _no_module() -> list[Values]:
  nothing = ["/no/such", file("plain"), file("file")]
  return [
    wrong(nothing, "TF1 Hub module"),
    wrong(values.REMOTE, "on this machine"),
    wrong([file("damaged")], "cannot be read"),
  ]


def _module_function() -> list[Row]:
  call = "ModuleFunction"
  spec = Made("no weights", lambda place: hub.create_module_spec(_plain_module))
  return rows(
    call,
    {
      "module": [
        *_path(),
        types([spec], "a module with weights"),
        *_no_module(),
        good([*values.paths("module"), _SPEC]),
      ],
      "outputs": [
        types([*values.NOT_MAPPINGS, *values.BAD_PAIRS], "dict"),
        wrong([{}], "at least one"),
        wrong([{"default": "scal"}], "has no signature"),
        good([None, {"default": "default"}]),
      ],
      "tasks": [
        types([*values.NOT_LISTS, *values.BAD_ITEMS], "strings"),
        wrong([("bogus",), [CLASSES, "bogus"]], "expected one of"),
        good([None, (), (CLASSES,), [FEATURES]]),
      ],
    },
  )


def _call_module_function() -> list[Row]:
  call = "ModuleFunction.__call__"
  eight_bits = Made("uint8", lambda place: tf.zeros([1, 12, 10, 3], tf.uint8))
  doubles = np.zeros([1, 12, 10, 3])
  vector = Made("vector", lambda place: tf.zeros([3]))
  return rows(
    call,
    {
      "images": [
        types(
          [None, 3, "text", [[1.0]], eight_bits, doubles], "a float32 tensor"
        ),
        wrong([vector], "cannot be used on images"),
      ],
      "is_training": [types(values.NOT_BOOLS, _EITHER), good([True, False])],
      "batch_norm_momentum": [
        types(["text", True, [0.9], {}, b"x"], "a number"),
        wrong([1.5, -0.1, math.nan], "in [0, 1]"),
        good([None, 0, 1, 0.9, np.float32(0.9)]),
      ],
    },
  )


def _plain_module() -> None:
  images = tf.compat.v1.placeholder(tf.float32, [None, 12, 10, 3])
  scale = tf.compat.v1.get_variable("scale", [])
  hub.add_signature(
    inputs={"images": images},
    outputs=tf.reduce_mean(images, [1, 2]) * scale,
  )


def _load_labels() -> list[Row]:
  found = good([*values.paths("module"), _SPEC])
  table = {"module_or_spec": [*_path(), *_no_module(), found]}
  return rows("load_labels", table)


def _check_module() -> list[Row]:
  call = "check_module"
  seconds = "a number of seconds"
  return rows(
    call,
    {
      "path": [
        *_path(),
        wrong([""], "empty"),
        good(["/no/such", "gs://bucket/x", *values.paths("file")]),
      ],
      "static": [types(values.NOT_BOOLS, _EITHER), good([True, False])],
      "timeout": [
        types(["5", b"5", None, True, [5], {}, 1j], seconds),
        wrong(
          [0, -1, 0.0, -0.5, math.nan, -math.inf, 10**5000], f"{seconds} > 0"
        ),
        good([1, 0.001, np.float32(5), math.inf, 1e300]),
      ],
    },
  )


def _open_module() -> list[Row]:
  return rows(
    "open_module",
    {
      "path": [
        *_path(),
        wrong(["/no/such", file("plain"), file("file")], "TF1 Hub module"),
        wrong([file("damaged")], "cannot be read"),
        wrong(["http://127.0.0.1:1/a.tar.gz"], "cannot be downloaded"),
        wrong([file("there.tar.gz")], "an archive that is refused"),
        good(values.paths("module")),
      ],
      "resize": [
        types([None, *values.NOT_STRINGS], "expected one of"),
        wrong(["", "bilinaer", "area"], "expected one of"),
        good(["bilinear", "antialias"]),
      ],
      "threads": [
        types([v for v in values.NOT_SIZES if v is not None], "integer"),
        wrong(values.BAD_SIZES, "a positive integer"),
        good([None, 1, np.int64(2)]),
      ],
    },
  )


def _images() -> list[Row]:
  """What is wrong with images: `rows` has a row for it, and no error."""
  no_images = types([None, 3, 1.5, True], "expected an image")
  bad = [
    *(np.zeros([4, 4, 5]), np.zeros([4, 4, 3], int), np.full([4, 4, 3], 255.0)),
    *(b"nonsense", [None], [[]]),
  ]
  fine = [[], np.zeros([0, 4, 4, 3]), np.zeros([9, 9, 3])]
  return [
    *rows(
      "ImageModule.__call__",
      {"images": [no_images, wrong(bad, "expected"), good(fine)]},
    ),
    *rows("ImageModule.rows", {"images": [no_images, good([*bad, *fine])]}),
  ]


def _image_module() -> list[Row]:
  signature = [
    types(values.NOT_STRINGS, "expected one of"),
    wrong(["", "imge", "image_feature_vector"], "expected one of"),
    good([None, "default", CLASSES]),
  ]
  output = [
    types([None, *values.NOT_STRINGS], "expected one of"),
    wrong(["", "conv"], "expected one of"),
    good(["default"]),
  ]
  batch_size = [
    types(values.NOT_SIZES, "a positive integer"),
    wrong(values.BAD_SIZES, "a positive integer"),
    good([1, np.int64(7)]),
  ]
  table = {"signature": signature, "output": output}
  run = {**table, "batch_size": batch_size}
  return [
    *_images(),
    *rows("ImageModule.__call__", run),
    *rows("ImageModule.rows", run),
    *rows("ImageModule.output_shape", table),
    *rows("ImageModule.is_classifier", {"signature": signature}),
  ]


ROWS = (
  *_open_module(),
  *_image_module(),
  *_module_function(),
  *_call_module_function(),
  *_load_labels(),
  *_check_module(),
)
