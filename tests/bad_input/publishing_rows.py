"""The arguments of what publishes, and those about Keras Applications."""

from __future__ import annotations

import dataclasses

import hub_image_export as hie
from hub_image_export.publishing.details import PageDetails
from tests.bad_input import values
from tests.bad_input.row import (
  Row,
  accepted,
  file,
  refused,
  wrong_type,
  wrong_value,
)

_NOT_PATHS = [None, *values.NOT_PATHS]
# A form that each of the publisher's words cannot have.
_BAD_DETAILS = {
  "handle": ["pets", "My-Lab/pets/1", "a/b/1\n<!-- license: mit -->"],
  "asset_path": ["1.tar.gz", "https://github.com/a/1.tar.gz", "gs://a/1.zip"],
  "description": ["", " \n"],
  "license": ["Apache", "mit -->", ""],
  "network": ["my-net", ""],
  "dataset": ["my-data", ""],
  "scores": ["probabilities", "", "Softmax"],
  "class_definition": ["labels.txt", "ftp://a/b", ""],
}


def _written(call: str, suffix: str, there: str) -> list[Row]:
  """What archive and page have in common."""
  failed = dict(exception=hie.ExportError)
  return [
    *wrong_type(call, "module", _NOT_PATHS, "a module's directory"),
    *wrong_value(call, "module", values.REMOTE, "on this machine"),
    *refused(call, "module", values.BAD_PATHS, "a module's directory"),
    *wrong_type(call, "path", _NOT_PATHS, f"a {suffix} file"),
    *wrong_value(call, "path", values.REMOTE, "on this machine"),
    *refused(call, "path", values.BAD_PATHS, f"a {suffix} file"),
    *wrong_value(call, "path", ["m.zip", suffix, suffix + "/"], suffix),
    *wrong_value(
      call, "path", ["/no/such/m" + suffix], "no directory", **failed
    ),
    *refused(call, "path", values.too_long(suffix), "at most", "bytes"),
    *wrong_value(call, "path", [file(there)], "exists", **failed),
    *wrong_type(call, "overwrite", values.NOT_BOOLS, "True or False"),
    *accepted(call, "overwrite", [False, True]),
  ]


def _module_page() -> list[Row]:
  call = "write_module_page"
  rows = []
  for field in dataclasses.fields(PageDetails):
    optional = field.default is None
    not_strings = [*values.NOT_STRINGS, *([] if optional else [None])]
    bad = [*_BAD_DETAILS[field.name], values.LONG]
    rows += wrong_type(call, field.name, not_strings, "expected a string")
    rows += refused(call, field.name, [values.SURROGATE], "lone surrogates")
    if field.name == "description":  # Any other text is one.
      bad.remove(values.LONG)
    rows += wrong_value(call, field.name, bad, "expected")
  return [
    *_written(call, ".md", "there.md"),
    *rows,
    *wrong_value(
      call,
      "module",
      ["/no/such", file("file")],
      "breaks the contract",
      exception=hie.CheckError,
    ),
  ]


def _application() -> list[Row]:
  call, build = "applications.get", "application_models.build"
  not_sizes = [value for value in values.NOT_SIZES if value is not None]
  return [
    *wrong_type(call, "name", [None, *values.NOT_STRINGS], "a string"),
    *wrong_value(
      call, "name", ["", "MobilNet", "mobilenet", values.LONG], "Keras has no"
    ),
    *accepted(call, "name", ["MobileNet", values.Text("MobileNet")]),
    *wrong_type(build, "task", [None, *values.NOT_STRINGS], "'all'"),
    *wrong_value(build, "task", ["", "features"], "expected one of"),
    *accepted(build, "task", ["feature_vector"]),
    *wrong_type(build, "weights", _NOT_PATHS, "a file of weights"),
    *refused(build, "weights", values.BAD_PATHS, "a file of weights"),
    *wrong_value(build, "weights", values.REMOTE, "a file of weights"),
    *(
      row
      for name in ("height", "width", "num_classes")
      for row in (
        *wrong_type(build, name, not_sizes, "positive integer"),
        *wrong_value(build, name, values.BAD_SIZES, "positive integer"),
      )
    ),
    *wrong_type(build, "variable_size", values.NOT_BOOLS, "True or False"),
  ]


ROWS = (
  *_written("write_archive", ".tar.gz", "there.tar.gz"),
  *wrong_value(
    "write_archive",
    "module",
    ["/no/such", file("plain"), file("file")],
    "TF1 Hub format",
    exception=hie.ExportError,
  ),
  *_module_page(),
  *_application(),
)
