# SPDX-License-Identifier: Apache-2.0
"""What a module's numbers mean: classes with names and scores, or features."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.serving.image_module import ImageModule, Row


@dataclasses.dataclass(frozen=True)
class Scored:
  """A class: its index, its name (None without labels), its score."""

  index: int
  label: str | None
  score: float


@dataclasses.dataclass(frozen=True)
class Answers:
  """How to read the rows of one output of a module.

  Attributes:
    is_classifier: whether they are the logits of classes (C7).
    labels: names of the classes, or None.
    activation: "softmax", "sigmoid", or None: scores are the logits then.
  """

  is_classifier: bool
  labels: Sequence[str] | None = None
  activation: str | None = None

  @classmethod
  def of(
    cls,
    module: ImageModule,
    signature: str | None,
    output: str,
    labels: Sequence[str] | None,
  ) -> Answers:
    """Those of a module; `labels` are used instead of its own.

    Raises:
      ValueError: there are not as many labels as classes.
    """
    shape = module.output_shape(signature, output)
    classifies = (
      module.is_classifier(signature)
      and output == contract.DEFAULT_OUTPUT
      and len(shape) == 1
    )
    if not classifies:
      if labels is not None:
        raise ValueError(
          f"{called('labels')} is given, but the output is none of a "
          "classifier: expected that of image_classification. Ask for it, or "
          "leave the labels out"
        )
      return cls(False)
    labels = module.labels if labels is None else labels
    if labels is not None and len(labels) != shape[0]:
      raise ValueError(
        f"there are {len(labels)} labels, and the module has {shape[0]} "
        "classes: expected one label for each, in order (C8)"
      )
    return cls(True, labels, module.activation)

  def top(self, values: np.ndarray, count: int) -> list[Scored]:
    """The classes of the highest scores, the highest first."""
    logits = np.asarray(values, np.float64)
    scores = self._scores(logits)
    order = np.argsort(-logits, kind="stable")[:count]
    return [
      Scored(int(i), self.labels[i] if self.labels else None, float(scores[i]))
      for i in order
    ]

  def _scores(self, logits: np.ndarray) -> np.ndarray:
    if self.activation == "softmax":
      powers = np.exp(logits - logits.max())
      return powers / powers.sum()
    if self.activation == "sigmoid":
      return np.exp(-np.logaddexp(0, -logits))
    return logits

  def columns(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
    """The rows as columns; the values flat, classifiers with the best class."""
    found: dict[str, list[Any]] = {
      "values": [None if r.values is None else r.values.ravel() for r in rows],
      "error": [row.error for row in rows],
    }
    if self.is_classifier:
      best = [  # Of NaN, no class is the best.
        None
        if r.values is None or np.isnan(r.values).any()
        else self.top(r.values, 1)[0]
        for r in rows
      ]
      found["label"] = [b and self.name_of(b) for b in best]
      found["score"] = [b and b.score for b in best]
    return found

  def name_of(self, scored: Scored) -> str:
    """The name of the class, or its index where it has none.

    With the index where several have that name: the usual lists of ImageNet's
    classes have "crane" and "maillot" twice.
    """
    if scored.label is None:
      return str(scored.index)
    if self.labels and self.labels.count(scored.label) > 1:
      return f'class {scored.index} "{scored.label}"'
    return scored.label


def plain(values: Any) -> Any:
  """For JSON, which has no NaN and no infinity: they are null."""
  found = np.asarray(values).astype(object)
  found[~np.isfinite(values)] = None
  return found.tolist()


def summary(values: np.ndarray) -> str:
  """A feature vector in a line: "96 numbers from 0 to 3.2, mean 0.5 …"."""
  flat = values.ravel()
  first = " ".join(f"{v:.4g}" for v in flat[:5])
  more = " …" if flat.size > 5 else ""
  shape = " x ".join(map(str, values.shape))
  return (
    f"{shape} numbers from {flat.min():.4g} to {flat.max():.4g}, mean "
    f"{flat.mean():.4g}, norm {np.linalg.norm(flat):.4g}: {first}{more}"
  )
