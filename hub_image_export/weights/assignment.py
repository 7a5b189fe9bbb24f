"""Variables with the values of a checkpoint: all of them, or an error."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable
from typing import Any

from absl import logging

from hub_image_export.errors import WeightsError
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights.names import EMA_SUFFIX, NameRules
from hub_image_export.weights.readers import NamedValues
from hub_image_export.weights.variable import Variable

_WIDENED = frozenset({tf.float16, tf.bfloat16})
_COUNTERS = re.compile(
  r"(?:.*/)?(?:global_step|save_counter|beta[12]_power|iteration"
  r"|learning_rate|seed_generator_state)"
  r"|.*\boptimizer/.*"
)
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Assigned:
  """Variables with values of a checkpoint, and what there is to tell.

  Attributes:
    variables: as they were, but for their values.
    averages: how many have moving averages.
    widened: names of those whose values were half floats in the checkpoint.
    unused: names of the checkpoint's weights that no variable asked for.
  """

  variables: tuple[Variable, ...]
  averages: int
  widened: tuple[str, ...]
  unused: tuple[str, ...]


def assign(
  variables: Iterable[Variable],
  values: NamedValues,
  rules: NameRules,
  strict: bool = False,
) -> Assigned:
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
  names = rules.names([v.name for v in variables], values)
  problems, assigned, widened = [], [], []
  used: set[str] = set()
  for variable in variables:
    key = values.find(names[variable.name])
    problem = _problem(variable, names[variable.name], key, values)
    if key is None or problem is not None:
      problems.append(str(problem))
      continue
    used.add(key)
    if values.specs[key].dtype != variable.dtype:
      widened.append(variable.name)
    stored = _reader(values, key, variable.dtype)
    assigned.append(dataclasses.replace(variable, stored=stored))
  if problems:
    raise WeightsError(_message(problems, len(variables), values))
  unused = tuple(_unused(values, used, rules.ema))
  averages = sum(name.endswith(EMA_SUFFIX) for name in names.values())
  result = Assigned(tuple(assigned), averages, tuple(widened), unused)
  _tell(result, values, strict)
  return result


def _reader(values: NamedValues, key: str, dtype: Any):
  def read() -> Any:
    value = values.read(key)
    return value.astype(dtype.as_numpy_dtype, copy=False)

  return read


def _problem(
  variable: Variable, name: str, key: str | None, values: NamedValues
) -> str | None:
  called = variable.name + (f" (as {name})" if name != variable.name else "")
  if key is None:
    return f"{called} is missing{_nearest(name, values)}"
  found = values.specs[key]
  if not variable.shape.is_compatible_with(found.shape):
    return (
      f"{called} has shape {variable.shape}, and {found.shape} in the "
      "checkpoint"
    )
  wide = variable.dtype in (tf.float32, tf.float64)
  if found.dtype != variable.dtype and not (wide and found.dtype in _WIDENED):
    return (
      f"{called} is {variable.dtype.name}, and {found.dtype.name} in the "
      "checkpoint"
    )
  return None


def _nearest(name: str, values: NamedValues) -> str:
  """The names most like it, those with the same ending first."""
  known = [n for n in values.specs if n not in values.bookkeeping]
  ending = name.rpartition("/")[2]
  alike = [n for n in known if n.rpartition("/")[2] == ending]
  near = difflib.get_close_matches(name, alike or known, 2, 0.4)
  return f" (nearest: {', '.join(near)})" if near else ""


def _message(problems: list[str], count: int, values: NamedValues) -> str:
  return (
    f"{len(problems)} of {count} variables cannot have their values from the "
    f"{values}, which has {len(values.specs)}: "
    + "; ".join(problems)
    + ". Expected all of them, of the same shape and type. A prefix or a map "
    "brings names together"
  )


def _unused(values: NamedValues, used: set[str], ema: bool) -> Iterable[str]:
  for name in sorted(set(values.specs) - used - values.bookkeeping):
    parent = name.rpartition("/")[0]
    slot = parent in values.specs
    averaged = ema and name + EMA_SUFFIX in used
    if not slot and not averaged and not _COUNTERS.fullmatch(name):
      yield name


def _tell(result: Assigned, values: NamedValues, strict: bool) -> None:
  logging.info(
    "%d variables have their values from the %s%s",
    len(result.variables),
    values,
    f"; {result.averages} of them moving averages" if result.averages else "",
  )
  if result.widened:
    logging.warning(
      "%d variables are half floats in the checkpoint, and are converted: %s",
      len(result.widened),
      _listed(result.widened),
    )
  if not result.unused:
    return
  message = (
    f"the {values} has {len(result.unused)} values that no variable of the "
    f"module asked for: {_listed(result.unused)}"
  )
  if strict:
    raise WeightsError(f"{message}. Is it of this model? Leave strict out")
  logging.warning("%s", message[0].upper() + message[1:])


def _listed(names: tuple[str, ...]) -> str:
  more = f", … ({len(names) - _SHOWN} more)" if len(names) > _SHOWN else ""
  return ", ".join(names[:_SHOWN]) + more
