# SPDX-License-Identifier: Apache-2.0
"""Under which name a checkpoint has the value of a variable.

Checkpoints are named by the program that trained: a prefix, another scope,
`ExponentialMovingAverage` behind each name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping

from hub_image_export import arguments
from hub_image_export.arguments import called
from hub_image_export.errors import SourceError, WeightsError
from hub_image_export.tensorflow_api import user_errors
from hub_image_export.untrusted import patterns
from hub_image_export.weights.readers import NamedValues

EMA_SUFFIX = "/ExponentialMovingAverage"


@dataclasses.dataclass(frozen=True)
class NameRules:
  """How names of the module's variables become names in the checkpoint.

  Attributes:
    name_transform_fn: from name to name, as tensorflow_hub has it.
    prefix: stands before each name in the checkpoint.
    mapping: names in the checkpoint by names of the module's variables, or by
      regular expressions that match them wholly; `\\1` stands for a group.
      Variables that nothing matches keep their names.
    ema: take the moving average of each variable that has one.
  """

  name_transform_fn: Callable[[str], str] | None = None
  prefix: str = ""
  mapping: Mapping[str, str] | None = None
  ema: bool = False

  def __post_init__(self) -> None:
    """Raises TypeError or ValueError; names are those of `with_weights`."""
    self._check_types()
    if self.name_transform_fn is not None and (self.prefix or self.mapping):
      raise ValueError(
        "name_transform_fn is given, and so is checkpoint_prefix or "
        "checkpoint_map: expected one of them. Let the function do all"
      )
    self._expanded([])

  def _check_types(self) -> None:
    if self.name_transform_fn is not None:
      arguments.check_function(
        "name_transform_fn", self.name_transform_fn, "a function on names"
      )
    arguments.check_string("checkpoint_prefix", self.prefix)
    if self.mapping is not None:
      arguments.check_mapping("checkpoint_map", self.mapping)
    arguments.check_bool("ema", self.ema)

  def __bool__(self) -> bool:
    """Whether there are rules: else names are the same on both sides."""
    return self != NameRules()

  def names(
    self, variables: Iterable[str], values: NamedValues
  ) -> dict[str, str]:
    """The names to look for in the checkpoint, by those of the variables.

    Raises:
      WeightsError: a rule holds for no variable, two rules hold for one, or
        two variables get one value; all such rules are listed.
    """
    variables = list(variables)
    expanded = self._expanded(variables)
    names = {name: self._name(name, expanded) for name in variables}
    problems = [*self._ambiguous(variables, expanded), *_shared(names)]
    if problems:
      raise WeightsError(
        "the names of the checkpoint's values are not clear: "
        + "; ".join(problems)
        + f". Expected another one for each; they follow from {self._given()}"
      )
    return self._averages(names, values) if self.ema else names

  def _expanded(self, variables: list[str]) -> dict[str, dict[str, str]]:
    """What each rule of the mapping makes of the variables it holds for."""
    rules = self.mapping or {}
    others = [name for name in variables if name not in rules]
    try:
      found = patterns.expand(rules, others)
    except ValueError as error:
      raise ValueError(
        f"{called('checkpoint_map')} has {error}: expected a variable's name "
        "or a regular expression, and a name"
      ) from None
    # A name itself goes before regular expressions.
    for name in set(variables) & rules.keys():
      found[name][name] = rules[name]
    return found

  def _name(self, name: str, expanded: dict[str, dict[str, str]]) -> str:
    if self.name_transform_fn is not None:
      try:
        transformed = self.name_transform_fn(name)
      except Exception as error:
        raise SourceError(
          f"name_transform_fn raised for {name!r}: {user_errors.raised(error)}"
        ) from error
      return arguments.check_string(
        f"what name_transform_fn returned for {name!r}", transformed
      )
    made = (names[name] for names in expanded.values() if name in names)
    name = next(made, name)
    prefix = self.prefix.rstrip("/")
    return f"{prefix}/{name}" if prefix else name

  def _given(self) -> str:
    """The arguments that the rules come from."""
    given = {
      "name_transform_fn": self.name_transform_fn is not None,
      "checkpoint_prefix": self.prefix,
      "checkpoint_map": self.mapping,
    }
    return " and ".join(called(name) for name in given if given[name])

  def _ambiguous(
    self, variables: list[str], hits: dict[str, dict[str, str]]
  ) -> Iterable[str]:
    for pattern, hit in hits.items():
      if not hit:
        yield f"{pattern!r} in the map is no variable of the module"
    for variable in variables:
      rules = [p for p in hits if variable in hits[p]]
      if len(rules) > 1:
        yield f"{rules} in the map all hold for {variable!r}"

  def _averages(
    self, names: dict[str, str], values: NamedValues
  ) -> dict[str, str]:
    found = {
      variable: name + EMA_SUFFIX
      for variable, name in names.items()
      if values.find(name + EMA_SUFFIX)
    }
    if not found:
      raise WeightsError(
        f"{called('ema', True)}, but the {values} has no moving average for "
        "any variable of the module: expected names that end in "
        f"{EMA_SUFFIX!r}. Leave it out"
      )
    return {**names, **found}


def _shared(names: dict[str, str]) -> Iterable[str]:
  by_value: dict[str, list[str]] = {}
  for variable, name in names.items():
    by_value.setdefault(name, []).append(variable)
  for name, variables in by_value.items():
    if len(variables) > 1:
      yield f"{name!r} would be the value of {variables}"
