# SPDX-License-Identifier: Apache-2.0
"""Each row of an argument: its own clear error, and nothing is written."""

from __future__ import annotations

import inspect

import pytest

import hub_image_export as hie
from tests.bad_input import ARGUMENT_ROWS
from tests.bad_input.calls import call as call_public
from tests.bad_input.check_error import check_error


def _texts(value):
  """How a message may show a value, or something in it; None for any way."""
  if inspect.isfunction(value):  # What it does is told, not what it is.
    return None
  shown = [text[:30] for make in (repr, str) for text in _try(make, value)]
  if hasattr(value, "shape"):
    shown.append(str(value.shape))
  if isinstance(value, dict):
    value = [*value.keys(), *value.values()]
  if isinstance(value, (list, tuple, set)):
    shown += [text for item in list(value)[:5] for text in _texts(item) or ()]
  return [*shown, getattr(value, "__name__", type(value).__name__)]


def _try(make, value):
  try:
    return [make(value)]
  except (TypeError, ValueError):
    return []


@pytest.mark.parametrize(
  ("call", "option", "nearest"),
  [
    ("make_classification_module", "arch_nam", "arch_name"),
    ("make_image_module", "traning", "training"),
    ("ImageModuleSpec.export", "emma", "ema"),
    ("write_module_page", "licence", "license"),
  ],
)
def test_an_option_that_does_not_exist(call, option, nearest, place, tmp_path):
  check_error(
    lambda: call_public(call, place, tmp_path, {option: True}),
    TypeError,
    [f"{option!r}: did you mean {nearest}?"],
  )
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["handle", "asset_path"])
def test_details_that_a_page_needs(missing, place, tmp_path):
  details = {"handle": "a/b/1", "asset_path": "https://a.com/1.tar.gz"}
  del details[missing]
  module = place.directory / "module"
  check_error(
    lambda: hie.write_module_page(module, tmp_path / "1.md", **details),
    TypeError,
    [f"{missing} missing: expected for the page"],
  )


@pytest.mark.parametrize("row", ARGUMENT_ROWS, ids=str)
def test_argument(row, place, tmp_path):
  value = place.made(row.value)
  arguments = {**place.all_made(row.others), row.argument: value}
  place.calls.clear()

  def action():
    call_public(row.call, place, tmp_path, arguments)

  if row.exception is None:
    action()
    return
  before = place.files()
  check_error(action, row.exception, row.words, row.argument, _texts(value))
  assert row.late or not place.calls, "the function was traced"
  assert place.files() == before
  assert not list(tmp_path.iterdir())
