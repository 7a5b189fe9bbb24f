# SPDX-License-Identifier: Apache-2.0
"""The arguments of the methods of a spec."""

from __future__ import annotations

import hub_image_export as hie
from tests.bad_input import values
from tests.bad_input.row import (
  Made,
  Row,
  beyond,
  file,
  good,
  rows,
  types,
  wrong,
)

_NEITHER = [value for value in values.NOT_BOOLS if value is not None]
_SAVED_MODEL = "ImageModuleSpec.export_saved_model"
_EXPORTS = ("ImageModuleSpec.export", _SAVED_MODEL)
_WITH_WEIGHTS = "ImageModuleSpec.with_weights"
_EITHER = "True or False"


def _weights(call: str, **others) -> list[Row]:
  """The arguments about checkpoints."""
  same = Made("lambda", lambda place: lambda name: name)
  one = Made("lambda", lambda place: lambda name: "scale")
  number = Made("lambda", lambda place: lambda name: 3)
  failed = hie.WeightsError
  return rows(
    call,
    {
      "name_transform_fn": [
        types([3, "", b"f", True, [], str, {}], "a function on names"),
        wrong([number], "'scale' is 3", exception=TypeError),
        wrong([one], "would be the value of", exception=failed),
        good([None, same]),
      ],
      "checkpoint_prefix": [
        types([None, *values.NOT_STRINGS], "a string"),
        wrong(["no/such"], "2 variables", exception=failed),
        beyond([values.SURROGATE], "surrogates"),
        good(["", "/"]),
      ],
      "checkpoint_map": [
        types([*values.NOT_MAPPINGS, *values.BAD_PAIRS], "dict"),
        wrong(
          [{"[": "a"}, {"(.*)": r"\9"}, {"(.*)": r"\g<no>"}],
          "a regular expression",
        ),
        wrong([{"no_such": "a"}], "is no variable", exception=failed),
        good([None, {}, {"s(.*)": r"s\1"}]),
      ],
      "ema": [
        types(values.NOT_BOOLS, _EITHER),
        wrong([True], "no moving average", exception=failed),
      ],
      "strict": [types(values.NOT_BOOLS, _EITHER), good([True])],
    },
    **others,
  )


def _checkpoint_path(call: str) -> list[Row]:
  failed = hie.WeightsError
  checkpoint_path = [
    types(values.NOT_PATHS, "the path of a checkpoint"),
    wrong([*values.BAD_PATHS, *values.REMOTE], "a checkpoint"),
    wrong(
      ["/no/such", file("plain"), file("file")],
      "expected the prefix",
      exception=failed,
    ),
    wrong([file("damaged")], "no index", exception=failed),
    good([*values.paths("weights.npz"), file("module")]),
  ]
  return rows(call, {"checkpoint_path": checkpoint_path})


def _export(call: str) -> list[Row]:
  failed = hie.ExportError
  function = Made("f", lambda place: id)
  unused = "without checkpoint_path"
  return rows(
    call,
    {
      "path": [
        types([None, *values.NOT_PATHS], "directory"),
        wrong(values.REMOTE, "not local"),
        beyond(values.BAD_PATHS, "directory"),
        wrong([file("module"), file("file")], "exists", exception=failed),
        beyond(values.too_long(), "at most", "bytes"),
        wrong([file("plain")], "no module", exception=failed, overwrite=True),
      ],
      **dict.fromkeys(
        ("overwrite", "verify", "check"), [types(values.NOT_BOOLS, _EITHER)]
      ),
      "name_transform_fn": [wrong([function], unused)],
      "ema": [wrong([True, False], unused)],
    },
  )


ROWS = (
  *(row for call in _EXPORTS for row in _export(call)),
  *rows(_SAVED_MODEL, {"split_groups": [types(_NEITHER, _EITHER)]}),
  *(row for call in _EXPORTS for row in _checkpoint_path(call)),
  *(
    row
    for call in _EXPORTS
    for row in _weights(call, checkpoint_path=file("weights.npz"))
  ),
  *_checkpoint_path(_WITH_WEIGHTS),
  *rows(_WITH_WEIGHTS, {"checkpoint_path": [types([None], "path")]}),
  *_weights(_WITH_WEIGHTS),
)
