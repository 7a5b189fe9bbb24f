# SPDX-License-Identifier: Apache-2.0
"""The arguments of what publishes, and those about Keras Applications."""

from __future__ import annotations

import hub_image_export as hie
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
  "language": ["English", "EN", "en-GB", "en\n---", ""],
}
_PAGES = ("write_module_page", "write_publish_dir")
_BAD_RESULTS = [
  {},
  {"accuracy": "0.97"},
  {"accuracy": float("nan")},
  {"accuracy": True},
  {"Top 1": 0.5},
  {"a\n---": 1.0},
  {3: 1.0},
]


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


def _details(call: str) -> list[Row]:
  """The publisher's words."""
  found = []
  for name, bad in _BAD_DETAILS.items():
    needed = name in ("handle", "asset_path")
    not_strings = [*values.NOT_STRINGS, *([None] if needed else [])]
    # Any text is a description.
    long = [] if name == "description" else [values.LONG]
    detail = [
      types(not_strings, "expected a string"),
      beyond([values.SURROGATE], "lone surrogates"),
      wrong([*bad, *long], "expected"),
    ]
    found += rows(call, {name: detail})
  results = [
    types([v for v in values.NOT_MAPPINGS if v], "a dict from metrics"),
    wrong(_BAD_RESULTS, "a dict from metrics", dataset="other"),
    wrong([{"accuracy": 0.97}], "without dataset"),
  ]
  return found + rows(call, {"results": results})


def _pages(call: str) -> list[Row]:
  """What is asked for of pages, beside the publisher's words."""
  return rows(
    call,
    {
      "format": [
        types([3, None, ["tfhub"]], "one of"),
        wrong(["", "hub", "TFHUB"], "one of"),
      ],
      "example": [
        types([v for v in _NOT_PATHS if v is not None], "a photo"),
        beyond(values.BAD_PATHS, "a photo"),
        wrong(values.REMOTE, "on this machine"),
        wrong([*_NOTHING, file("plain")]),
      ],
    },
  )


_FOLDER = rows(
  "write_publish_dir",
  {
    "module": [
      types(_NOT_PATHS, "a module's directory"),
      wrong(values.REMOTE, "on this machine"),
    ],
    "path": [
      types(_NOT_PATHS, "a folder to publish"),
      wrong(values.REMOTE, "on this machine"),
      beyond(values.BAD_PATHS, "a folder to publish"),
      beyond(values.too_long(), "at most", "bytes"),
      wrong([file("file"), file("plain")], exception=hie.ExportError),
      wrong(
        [file("plain")],
        "no published folder",
        exception=hie.ExportError,
        overwrite=True,
      ),
    ],
    "overwrite": [types(values.NOT_BOOLS, _EITHER), good([False])],
    "saved_model": [
      types([v for v in _NOT_PATHS if v is not None], "a reusable SavedModel"),
      wrong(values.REMOTE, "on this machine"),
      beyond(values.BAD_PATHS, "a reusable SavedModel"),
      wrong(["/no/such", file("plain")], "export_saved_model"),
    ],
    "report": [types(["ok", {}, True], "a Report")],
  },
)


def _application() -> list[Row]:
  call = "application_models.build"
  name = [
    types([None, *values.NOT_STRINGS], "a string"),
    wrong(["", "MobilNet", "mobilenet", values.LONG], "that of a Keras"),
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
  *_FOLDER,
  *(row for call in _PAGES for row in (*_details(call), *_pages(call))),
  *_application(),
)
