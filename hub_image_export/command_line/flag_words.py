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
    own = (other_names.get(argument, argument), *value)
    name, *given = _FUNCTIONS.get(argument, own)
    if name not in flag_values:
      return argument
    if not given or given[0] is True:
      return f"--{name}"
    if given[0] is False:
      return f"--no{name}"
    text = given[0] if given[0] is not None else "none"
    if isinstance(text, (list, tuple)):
      text = ",".join(map(str, text))
    return f"--{name}={text}"

  return write
