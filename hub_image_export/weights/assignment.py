# SPDX-License-Identifier: Apache-2.0
"""Variables with the values of a checkpoint: all of them, or an error."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

from absl import logging

from hub_image_export.arguments import called
from hub_image_export.errors import WeightsError
from hub_image_export.weights import pieces
from hub_image_export.weights.names import EMA_SUFFIX, NameRules
from hub_image_export.weights.pieces import Stored
from hub_image_export.weights.readers import NamedValues
from hub_image_export.weights.variable import Variable

_COUNTERS = re.compile(
  r"(?:.*/)?(?:global_step|save_counter|beta[12]_power|iteration"
  r"|learning_rate|seed_generator_state)"
  r"|.*\boptimizer/.*"
)
_SHOWN = 20


def assign(
  variables: Iterable[Variable],
  values: NamedValues,
  rules: NameRules,
  strict: bool = False,
) -> tuple[Variable, ...]:
  """Gives every variable its value from a checkpoint.

  Nothing is read yet: a variable reads its own value when it is asked.

  Args:
    variables: of the module.
    values: of the checkpoint.
    rules: from names of the former to names of the latter.
    strict: unused values are an error, not a warning. Optimizers, counters
      and, where moving averages are used, the values behind them do not count.

  Raises:
    WeightsError: values are missing, or differ in shape or type: all of them
      are listed. Or the rules are not clear.
  """
  variables = list(variables)
  wholes = dict.fromkeys(v.part.full_name for v in variables if v.part)
  names = rules.names([*(v.name for v in variables), *wholes], values)
  stored: dict[str, Stored] = {}
  problems = []
  for variable in variables:
    found, problem = pieces.find(variable, names, values)
    if found is None:
      problems.append(str(problem))
    else:
      stored[variable.name] = found
  if problems:
    raise WeightsError(_message(problems, len(variables), values))
  averages = sum(name.endswith(EMA_SUFFIX) for name in names.values())
  logging.info(
    "%d variables have their values from the %s%s",
    len(variables),
    values,
    f"; {averages} of them moving averages" if averages else "",
  )
  _tell_of_widened(variables, stored, values)
  used = {key for found in stored.values() for key in found.keys}
  _tell_of_unused(values, used, rules.ema, strict)
  return tuple(
    dataclasses.replace(v, stored=stored[v.name].reader(values, v.dtype))
    for v in variables
  )


def _message(problems: list[str], count: int, values: NamedValues) -> str:
  return (
    f"{len(problems)} of {count} variables cannot have their values from the "
    f"{values}, which has {len(values.specs)}: "
    + "; ".join(problems)
    + ". Expected all of them, of the same shape and type. "
    f"{called('checkpoint_prefix')} or {called('checkpoint_map')} brings names "
    "together"
  )


def _unused(values: NamedValues, used: set[str], ema: bool) -> Iterable[str]:
  for name in sorted(set(values.specs) - used - values.bookkeeping):
    parent = name.rpartition("/")[0]
    slot = parent in values.specs
    averaged = ema and name + EMA_SUFFIX in used
    if not slot and not averaged and not _COUNTERS.fullmatch(name):
      yield name


def _tell_of_widened(
  variables: list[Variable], stored: dict[str, Stored], values: NamedValues
) -> None:
  widened = [
    v.name
    for v in variables
    if values.specs[stored[v.name].keys[0]].dtype != v.dtype
  ]
  if widened:
    logging.warning(
      "%d variables are half floats in the checkpoint, and are converted: %s",
      len(widened),
      _listed(widened),
    )


def _tell_of_unused(
  values: NamedValues, used: set[str], ema: bool, strict: bool
) -> None:
  unused = list(_unused(values, used, ema))
  if not unused:
    return
  message = (
    f"the {values} has {len(unused)} values that no variable of the module "
    f"asked for: {_listed(unused)}"
  )
  if strict:
    raise WeightsError(
      f"{message}. Expected none with {called('strict', True)}: is it of this "
      "model? Leave that out if so"
    )
  logging.warning("%s", message[0].upper() + message[1:])


def _listed(names: list[str]) -> str:
  more = f", … ({len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
  return ", ".join(names[:_SHOWN]) + more
