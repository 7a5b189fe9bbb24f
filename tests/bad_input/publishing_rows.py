# SPDX-License-Identifier: Apache-2.0
"""The arguments of what publishes, and those about Keras Applications."""

from __future__ import annotations

import dataclasses

import hub_image_export as hie
from hub_image_export.publishing.details import PageDetails
from tests.bad_input import values
from tests.bad_input.row import Row, beyond, file, good, rows, types, wrong

_NOT_PATHS = [None, *values.NOT_PATHS]
_EITHER = "True or False"
# A form that each of the publisher's words cannot have.
_BAD_DETAILS = {
  "handle": [
    "pets",
    "pets/1",
    "my-lab/pets",
    "My-Lab/pets/1",
    "my-lab/p ets/1",
    "https://tfhub.dev/my-lab/pets/1",
    "a/b/1\n<!-- license: mit -->",
  ],
  "asset_path": [
    "1.tar.gz",
    "gs://a/1.zip",
    "https://github.com/a/1.tar.gz",
    "https://example.com/-->.tar.gz",
    'https://example.com/"+x+".tar.gz',
    "https://example.com/a b.tar.gz",
  ],
  "description": ["", " \n"],
  "license": ["Apache", "mit -->", ""],
  "network": ["my-net", ""],
  "dataset": ["my-data", ""],
  "scores": ["probabilities", "", "Softmax"],
  "class_definition": ["labels.txt", "ftp://a/b", "https://a.com/> [x](y)", ""],
}


def _written(call: str, suffix: str, there: str) -> list[Row]:
  """What archive and page have in common."""
  failed = hie.ExportError
  return rows(
    call,
    {
      "module": [
        types(_NOT_PATHS, "a module's directory"),
        wrong(values.REMOTE, "on this machine"),
        beyond(values.BAD_PATHS, "a module's directory"),
      ],
      "path": [
        types(_NOT_PATHS, f"a {suffix} file"),
        wrong(values.REMOTE, "on this machine"),
        beyond(values.BAD_PATHS, f"a {suffix} file"),
        wrong(["m.zip", "m.tgz", suffix, suffix + "/"], suffix),
        wrong(["/no/such/m" + suffix], "no directory", exception=failed),
        beyond(values.too_long(suffix), "at most", "bytes"),
        wrong([file(there)], "exists", exception=failed),
      ],
      "overwrite": [types(values.NOT_BOOLS, _EITHER), good([False, True])],
    },
  )


def _detail(field: dataclasses.Field) -> list[Row]:
  optional = field.default is None
  not_strings = [*values.NOT_STRINGS, *([] if optional else [None])]
  # Any text is a description.
  long = [] if field.name == "description" else [values.LONG]
  detail = [
    types(not_strings, "expected a string"),
    beyond([values.SURROGATE], "lone surrogates"),
    wrong([*_BAD_DETAILS[field.name], *long], "expected"),
  ]
  return rows("write_module_page", {field.name: detail})


def _application() -> list[Row]:
  call = "application_models.build"
  name = [
    types([None, *values.NOT_STRINGS], "a string"),
    wrong(["", "MobilNet", "mobilenet", values.LONG], "Keras has no"),
    good(["MobileNet", values.Text("MobileNet")]),
  ]
  not_sizes = [value for value in values.NOT_SIZES if value is not None]
  size = "positive integer"
  return rows("applications.get", {"name": name}) + rows(
    call,
    {
      "task": [
        types([None, *values.NOT_STRINGS], "'all'"),
        wrong(["", "features"], "expected one of"),
        good(["feature_vector"]),
      ],
      "weights": [
        types(_NOT_PATHS, "a file of weights"),
        beyond(values.BAD_PATHS, "a file of weights"),
        wrong(values.REMOTE, "a file of weights"),
      ],
      **dict.fromkeys(
        ("height", "width", "num_classes"),
        [types(not_sizes, size), wrong(values.BAD_SIZES, size)],
      ),
      "variable_size": [types(values.NOT_BOOLS, _EITHER)],
    },
  )


_NOTHING = ["/no/such", file("file")]
_NO_FORMAT = wrong(
  [*_NOTHING, file("plain")], "TF1 Hub format", exception=hie.ExportError
)
_NO_MODULE = wrong(_NOTHING, "breaks the contract", exception=hie.CheckError)
ROWS = (
  *_written("write_archive", ".tar.gz", "there.tar.gz"),
  *rows("write_archive", {"module": [_NO_FORMAT]}),
  *_written("write_module_page", ".md", "there.md"),
  *rows("write_module_page", {"module": [_NO_MODULE]}),
  *(row for f in dataclasses.fields(PageDetails) for row in _detail(f)),
  *_application(),
)
