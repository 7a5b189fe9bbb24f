"""The arguments of the builders, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Sequence
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.sources import preprocessing


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
    arguments.check_known(options, known)
    return cls(**options)

  def check(self) -> None:
    """Raises TypeError or ValueError for values that make no sense."""
    if self.arch_name is not None:
      _check_arch_name(self.arch_name)
    if self.endpoints is not None:
      arguments.check_strings("endpoints", self.endpoints)
    dropped = arguments.check_strings("drop_collections", self.drop_collections)
    for name in ("variable_size", "allow_custom_gradients"):
      arguments.check_bool(name, getattr(self, name))
    if self.training is not None:
      arguments.check_bool("training", self.training)
    _check_batch_norm_momentum(self.batch_norm_momentum)
    essential = contract.ESSENTIAL_COLLECTIONS & set(dropped)
    if essential:
      raise ValueError(
        f"drop_collections has {sorted(essential)}: a module without would "
        "have no weights, or could not be fine-tuned (F3, F4). Leave them out"
      )


def _check_batch_norm_momentum(value: Any) -> None:
  if isinstance(value, numbers.Real) and not isinstance(value, bool):
    in_range = "" if 0 <= value <= 1 else ", and momentum lies in [0, 1]"
    raise ValueError(
      f"batch_norm_momentum is {arguments.shown(value)}: expected True or "
      f"False{in_range}. Consumers give the momentum; 0.99 holds where they "
      "give none (H1)"
    )
  arguments.check_bool("batch_norm_momentum", value)


def _check_arch_name(value: Any) -> None:
  expected = "a name without slashes or blanks around it, such as 'InceptionV3'"
  name = arguments.check_name("arch_name", value, expected)
  if name != name.strip("/ "):
    raise arguments.wrong_value("arch_name", value, expected)
