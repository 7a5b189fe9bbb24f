# SPDX-License-Identifier: Apache-2.0
"""Every argument of every public function, and every flag, has its rows."""

from __future__ import annotations

import dataclasses
import inspect

import pytest

import hub_image_export as hie
from hub_image_export.export.order import Options
from hub_image_export.publishing.details import PageDetails
from hub_image_export.sources import application_models, applications
from tests.bad_input import ARGUMENT_ROWS, FLAG_ROWS
from tests.bad_input.flag_rows import SCRIPTS
from tests.bad_input.row import TYPE, VALUE

_WITH_WEIGHTS = "ImageModuleSpec.with_weights"
# What is no function of users', and why.
_NOT_CALLED = {
  "hub": "it is tensorflow_hub",
  "Summary": "an export makes it; it is a record",
  "ImageModule.__init__": "open_module calls it",
  "ImageModuleSpec.__init__": "builders call it; what they take is checked",
  **{
    name: "it is raised, not called"
    for name in hie.__all__
    if name.endswith("Error")
  },
}
# What has no wrong value, apart from those of the wrong type, and why.
_ALL_VALUES_ARE_GOOD = {
  "ModuleFunction.__call__": {"is_training": "both are"},
  "ImageModuleSpec.export_saved_model": {"split_groups": "both are, and None"},
  "write_publish_dir": {"report": "one with errors tells of the module"},
  "ImageModule.rows": {"images": "a broken image is a row"},
}


def _public():
  """Pairs of a name and a function."""
  for name in hie.__all__:
    value = getattr(hie, name)
    if name in _NOT_CALLED:
      continue
    if not inspect.isclass(value):
      yield name, value
      continue
    for method, function in vars(value).items():
      public = not method.startswith("_") or method in ("__init__", "__call__")
      full = name if method == "__init__" else f"{name}.{method}"
      if (
        inspect.isfunction(function)
        and public
        and f"{name}.{method}" not in _NOT_CALLED
      ):
        yield full, function
  yield "applications.get", applications.get
  yield "application_models.build", application_models.build


def _names(fields):
  return [field.name for field in fields]


def _spread(name, parameter):
  """The arguments that `**options` stand for, in each function that has it."""
  if parameter.name == "details":
    names = _names(dataclasses.fields(PageDetails))
    return [name for name in names if name != "format"]
  if name.startswith("ImageModuleSpec.export"):
    function = hie.ImageModuleSpec.with_weights
    parameters = inspect.signature(function).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
  assert parameter.name == "options", f"{name} has **{parameter.name}"
  return list(Options.__annotations__)


def _arguments():
  for name, function in _public():
    for parameter in inspect.signature(function).parameters.values():
      if parameter.name in ("self", "application"):  # The latter of `get`.
        continue
      if parameter.kind is parameter.VAR_KEYWORD:
        for spread in _spread(name, parameter):
          yield name, spread, ""
      else:
        yield name, parameter.name, str(parameter.annotation)


_ARGUMENTS = list(_arguments())
_ANNOTATIONS = {argument: text for _, argument, text in _ARGUMENTS if text}


def _cases(rows, call, argument):
  return {
    row.case
    for row in rows
    if (row.call, row.argument) == (call, argument)
    and row.exception is not None
  }


@pytest.mark.parametrize(("call", "argument", "_"), _ARGUMENTS)
def test_every_argument_has_rows(call, argument, _):
  needed = {TYPE, VALUE}
  either = _ANNOTATIONS.get(argument) == "bool"  # Both values are good ones.
  if either or argument in _ALL_VALUES_ARE_GOOD.get(call, ()):
    needed = {TYPE}
  assert needed <= _cases(ARGUMENT_ROWS, call, argument)


def test_every_row_is_of_an_argument():
  known = {(call, argument) for call, argument, _ in _ARGUMENTS}
  assert {(row.call, row.argument) for row in ARGUMENT_ROWS} <= known


def test_every_public_function_is_called_by_a_row_and_succeeds():
  """So are they all in the part of the tests that is fast: no row is slow."""
  called = {row.call for row in ARGUMENT_ROWS if row.exception is None}
  assert called == {call for call, _, _ in _ARGUMENTS}


def test_what_is_left_out_exists():
  methods = {f"{c}.{m}" for c in hie.__all__ for m in dir(getattr(hie, c))}
  assert set(_NOT_CALLED) <= {*hie.__all__, *methods}


def _all_flags():
  for script, (_, flag_values) in SCRIPTS.items():
    for name in sorted({flag_values[n].name for n in flag_values}):
      yield script, name


_NEEDED_OF_FLAGS = {
  "bool": {TYPE},
  "int": {TYPE, VALUE},
  "float": {TYPE, VALUE},
  "string": {VALUE},
  "string enum": {VALUE},
  "multi string": {VALUE},
  "comma separated list of strings": {VALUE},
  "multi comma separated list of strings": {VALUE},
}


@pytest.mark.parametrize(("script", "flag"), list(_all_flags()))
def test_every_flag_has_rows(script, flag):
  kind = SCRIPTS[script][1][flag].flag_type()
  assert _NEEDED_OF_FLAGS[kind] <= _cases(FLAG_ROWS, script, flag)


def test_every_flag_row_is_of_a_flag():
  known = set(_all_flags())
  assert {(row.call, row.argument) for row in FLAG_ROWS} <= known
