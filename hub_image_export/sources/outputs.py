# SPDX-License-Identifier: Apache-2.0
"""One of several outputs, by its name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub_image_export import contract
from hub_image_export.arguments import called, shown


def named(returned: Any, names: Sequence[str]) -> Any:
  """Outputs in a list by their names, where they have some (Keras)."""
  if isinstance(returned, (list, tuple)) and len(returned) == len(names) > 1:
    return dict(zip(names, returned))
  return returned


def choose(
  source: str, returned: Any, output: str, names: Sequence[str] = ()
) -> Any:
  """The output of that name.

  Args:
    source: its name, for messages.
    returned: a dict; a list, whose elements are called "0", "1" and so on; or
      a pair of the output "default" and a dict of others.
    output: the name.
    names: those that the source has for its outputs, if it has some.

  Raises:
    ValueError: there is no such output; those that there are are told.
  """
  found = _by_name(returned)
  if len(found) == len(names) == 1:
    found = dict(zip(names, found.values()))
  if output not in found:
    raise ValueError(
      f"{called('output')} is {shown(output)}: expected one of "
      f"{described(found)}, the outputs of {source}"
    )
  return found[output]


def _by_name(returned: Any) -> dict[str, Any]:
  if isinstance(returned, Mapping):
    return {str(key): value for key, value in returned.items()}
  if not isinstance(returned, (list, tuple)):
    return {contract.DEFAULT_OUTPUT: returned}
  if len(returned) == 2 and isinstance(returned[1], Mapping):
    return {contract.DEFAULT_OUTPUT: returned[0], **_by_name(returned[1])}
  return {str(i): value for i, value in enumerate(returned)}


def described(returned: Any) -> str:
  """Names and shapes: "'scores' (None, 10), 'boxes' (None, 4)"."""
  return ", ".join(
    f"{name!r} {getattr(value, 'shape', '')}".strip()
    for name, value in _by_name(returned).items()
  )
