# SPDX-License-Identifier: Apache-2.0
"""Names that were meant to be one of the contract's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from hub_image_export import contract

# What publishers called the same thing. Only whole names count.
_SYNONYMS = {
  contract.IMAGE_FEATURE_VECTOR: (
    "representation", "featurevector", "features", "feature", "embedding",
    "embeddings", "bottleneck", "imagefeatures", "imageembedding",
    "encoder", "representations",
  ),
  contract.IMAGE_CLASSIFICATION: (
    "classification", "classify", "classifier", "logits", "imageclassifier",
    "predict", "prediction", "predictions", "probabilities",
  ),
  contract.IMAGES: (
    "image", "input", "inputs", "x", "img", "imgs", "pixels", "inputimage",
    "inputimages", "input1", "default",
  ),
  contract.DEFAULT_OUTPUT: ("output", "outputs", "out", "output0", "result"),
  contract.DEFAULT_SIGNATURE: ("servingdefault", "serving"),
}  # fmt: skip


def _plain(name: str) -> str:
  return re.sub(r"[^a-z0-9]", "", name[:200].lower())


def is_misspelt(name: str, wanted: str) -> bool:
  """Whether `name` is a spelling of `wanted`, and not `wanted` itself."""
  if name == wanted:
    return False
  ours, theirs = _plain(name), _plain(wanted)
  return difflib.SequenceMatcher(None, ours, theirs).ratio() > 0.88


def near_misses(names: Iterable[str], wanted: str) -> list[str]:
  """The `names` that probably mean `wanted`, sorted."""
  return sorted(
    name
    for name in names
    if is_misspelt(name, wanted) or _plain(name) in _SYNONYMS.get(wanted, ())
  )


def hint(names: Iterable[str], wanted: str) -> str:
  """` (perhaps "image" is meant for it)`, or nothing."""
  found = near_misses(names, wanted)
  if not found:
    return ""
  return f' (perhaps "{found[0]}" was meant; rename it to "{wanted}")'
