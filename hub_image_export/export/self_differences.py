# SPDX-License-Identifier: Apache-2.0
"""Differences that a source has with itself: no fault of its module."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterable

import numpy as np

from hub_image_export.errors import VerificationError
from hub_image_export.export.comparison import Difference
from hub_image_export.graph.graph_defs import all_nodes
from hub_image_export.tensorflow_api import known_ops
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import GraphDef

# So much of its images changes what a source gives by no more than rounding:
# units in the last place of the types that it computes with.
_NUDGE = 1e-6
_NUDGES_OF_HALF = {tf.float16: 1e-3, tf.bfloat16: 1e-2}
# By how many times that much rounding may move a module away from its source.
AMPLIFIED = 10
# Each in another direction: some move a network by nothing.
_NUDGES = 3
_MOST_NAMES = 3

_Images = np.ndarray
# Differences between a second run of the source, with images that are changed
# somehow, and the first.
Again = Callable[[Callable[[_Images], _Images]], "list[Difference]"]


def _nudge_for(graph_def: GraphDef) -> float:
  """How far images are moved: by the coarsest type that a graph computes with.

  Processors have kernels of their own for half precision; in which order they
  round, and between which ops, differs with and without a graph.
  """
  types = known_ops.computed_in(all_nodes(graph_def))
  return max([_NUDGE, *(_NUDGES_OF_HALF.get(t, _NUDGE) for t in types)])


def judge(
  differences: list[Difference], again: Again, graph_def: GraphDef
) -> tuple[list[Difference], list[str]]:
  """Refuses differences that the source does not have with itself.

  Args:
    differences: between the module and its source.
    again: runs the source once more.
    graph_def: of the module's variant; it tells how coarse its types are.

  Returns:
    Those differences that tell of the module, and notes on the others.

  Raises:
    VerificationError: the module differs; or the source differs from itself
      when it infers.
  """
  failed = {d.part: d for d in differences if d.fails}
  if not failed:
    return differences, []
  # A part that the source does not have in either run cannot differ.
  random = {d.part: d for d in again(lambda images: images) if d.fails}
  notes = [_told_of_random(d) for p, d in random.items() if p in failed]
  left = [d for part, d in failed.items() if part not in random]
  nudge = _nudge_for(graph_def)
  _refuse_unexplained(left, again, nudge)
  notes += _told_of_rounding(left, nudge)
  return [d for d in differences if d.part not in random], notes


def _refuse_unexplained(
  failed: list[Difference], again: Again, nudge: float
) -> None:
  """Raises VerificationError for what rounding does not explain."""
  moved: dict[str, float] = collections.defaultdict(float)
  left = failed
  for seed in range(_NUDGES):
    if not left:
      return
    for d in again(functools.partial(nudged, seed=seed, nudge=nudge)):
      moved[d.part] = max(moved[d.part], d.absolute)
    left = [d for d in failed if not d.absolute <= AMPLIFIED * moved[d.part]]
  if left:
    raise VerificationError(f"{left[0]}. The module is not written")


def nudged(images: _Images, seed: int, nudge: float = _NUDGE) -> _Images:
  """Images in [0, 1], a bit of the way to others; black ones move, too."""
  others = np.random.RandomState(seed).random_sample(images.shape)
  return (images + nudge * (others - images)).astype(images.dtype)


def _told_of_random(difference: Difference) -> str:
  """Of a part in which two runs of the source differ."""
  message = (
    f"the {difference.part} of the {difference.variant} variant: the source "
    f"differs from itself by {difference.absolute:.3g} when it is run twice"
  )
  if difference.variant == "inference":
    raise VerificationError(
      f"{message}. Its outputs must depend on the images alone: what Python "
      "draws, counts or reads while it is called is no part of a module"
    )
  return message


def _told_of_rounding(
  differences: Iterable[Difference], nudge: float
) -> list[str]:
  """A sentence for each kind of them, of which there may be hundreds."""
  kinds: dict[tuple[str, str], list[Difference]] = {}
  for difference in differences:
    kinds.setdefault((difference.variant, difference.kind), []).append(
      difference
    )
  return [
    f"{_named(found)} of the {variant} variant: a difference of up to "
    f"{max(d.absolute for d in found):.2g}; a change of {nudge:g} in the "
    "images moves the source as far"
    for (variant, _), found in kinds.items()
  ]


def _named(found: list[Difference]) -> str:
  if len(found) == 1:
    return f"the {found[0].part}"
  names = ", ".join(d.name for d in found[:_MOST_NAMES])
  more = ", …" if len(found) > _MOST_NAMES else ""
  return f"{len(found)} {found[0].kind}s ({names}{more})"
