# SPDX-License-Identifier: Apache-2.0
"""How messages of the package call arguments, where flags were given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

# What other functions do, a flag does.
_FUNCTIONS = {
  "make_image_module": ("task", "all"),
  "make_classification_module": ("task", "classification"),
  "export_saved_model": ("format", "saved_model"),
}


def writer(
  flag_values: flags.FlagValues, other_names: Mapping[str, str]
) -> Callable[..., str]:
  """What `arguments.written_as` takes: `--notraining` for `training=False`.

  Args:
    flag_values: the script's flags.
    other_names: of arguments, where flags have others.
  """

  def write(argument: str, *value: Any) -> str:
    if argument in _FUNCTIONS:
      argument, *rest = _FUNCTIONS[argument]
      value = tuple(rest)
    name = other_names.get(argument, argument)
    if name not in flag_values:
      return argument
    if not value or value[0] is True:
      return f"--{name}"
    if value[0] is False:
      return f"--no{name}"
    text = value[0] if value[0] is not None else "none"
    if isinstance(text, (list, tuple)):
      text = ",".join(map(str, text))
    return f"--{name}={text}"

  return write
