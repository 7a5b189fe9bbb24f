"""The arguments of the builders, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import difflib
import numbers
from collections.abc import Sequence
from typing import Any

from hub_image_export import contract, preprocessing


@dataclasses.dataclass(frozen=True)
class Options:
  """The arguments that all builders share; see `make_feature_vector_module`."""

  arch_name: str | None = None
  preprocess: preprocessing.Preprocess = None
  endpoints: Sequence[str] | None = None
  variable_size: bool = False
  training: bool | None = None
  batch_norm_momentum: bool = False
  drop_collections: Sequence[str] = ()
  allow_custom_gradients: bool = False

  @classmethod
  def of(cls, options: dict[str, Any]) -> Options:
    """Raises TypeError for options that do not exist, with the nearest."""
    known = [field.name for field in dataclasses.fields(cls)]
    for name in options:
      if name not in known:
        near = difflib.get_close_matches(name, known, 1) or known
        raise TypeError(
          f"there is no argument {name!r}: did you mean {' or '.join(near)}?"
        )
    return cls(**options)

  def check(self) -> None:
    """Raises TypeError or ValueError for values that make no sense."""
    if self.arch_name is not None:
      _check_arch_name(self.arch_name)
    _check_strings("endpoints", self.endpoints or ())
    _check_strings("drop_collections", self.drop_collections)
    for name in ("variable_size", "allow_custom_gradients"):
      _check_bool(name, getattr(self, name))
    if self.training is not None:
      _check_bool("training", self.training)
    _check_batch_norm_momentum(self.batch_norm_momentum)
    essential = contract.ESSENTIAL_COLLECTIONS & set(self.drop_collections)
    if essential:
      raise ValueError(
        f"drop_collections has {sorted(essential)}: a module without would "
        "have no weights, or could not be fine-tuned (F3, F4). Leave them out"
      )


def check_size(name: str, value: Any) -> None:
  if isinstance(value, bool) or not isinstance(value, numbers.Integral):
    raise TypeError(
      f"{name} is {value!r} of type {type(value).__name__}: expected a "
      "positive integer"
    )
  if value <= 0:
    raise ValueError(f"{name} is {value}: expected a positive integer")


def _check_bool(name: str, value: Any) -> None:
  if not isinstance(value, bool):
    raise TypeError(f"{name} is {value!r}: expected True or False")


def _check_batch_norm_momentum(value: Any) -> None:
  if isinstance(value, numbers.Real) and not isinstance(value, bool):
    in_range = "" if 0 <= value <= 1 else ", and momentum lies in [0, 1]"
    raise ValueError(
      f"batch_norm_momentum is {value}: expected True or False{in_range}. "
      "Consumers give the momentum; 0.99 holds where they give none (H1)"
    )
  _check_bool("batch_norm_momentum", value)


def _check_strings(name: str, value: Any) -> None:
  if isinstance(value, str) or not isinstance(
    value, (Sequence, set, frozenset)
  ):
    raise TypeError(f"{name} is {value!r}: expected a list of strings")
  for item in value:
    if not isinstance(item, str) or not item:
      raise TypeError(f"{name} has {item!r}: expected strings")


def _check_arch_name(value: Any) -> None:
  if not isinstance(value, str):
    raise TypeError(f"arch_name is {value!r}: expected a string")
  if not value or value != value.strip("/ "):
    raise ValueError(
      f"arch_name is {value!r}: expected a name without slashes or blanks "
      "around it, such as 'InceptionV3'"
    )


def check_default_task(value: Any) -> None:
  if value in contract.TASKS:
    return
  near = difflib.get_close_matches(str(value), contract.TASKS, 1, 0.3)
  hint = f" Did you mean {near[0]!r}?" if near else ""
  raise ValueError(
    f"default_task is {value!r}: expected one of {contract.TASKS}.{hint}"
  )
