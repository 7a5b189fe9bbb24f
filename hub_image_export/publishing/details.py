# SPDX-License-Identifier: Apache-2.0
"""What a module page says and no module can know: its publisher's words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.arguments import called
from hub_image_export.publishing import forms
from hub_image_export.publishing.archive import SUFFIX


@dataclasses.dataclass(frozen=True)
class PageDetails:
  """A publisher's words about a module.

  Attributes:
    handle: `publisher/name/version`; the name may have slashes in the format
      "tfhub". On Hugging Face, `publisher/name` is the repository.
    asset_path: URL of the archive, from which consumers load the module. For
      Hugging Face, None for `name-version.tar.gz` in the repository.
    description: one paragraph of plain text; None for one made of the module.
    license: an identifier such as `"apache-2.0"`.
    network: the architecture's identifier, such as `"mobilenet-v2"`.
    dataset: the training data's, such as `"imagenet-ilsvrc-2012-cls"`, or
      `"ILSVRC/imagenet-1k"` on Hugging Face.
    scores: what the logits are meant for (C8): "softmax" (exclusive classes),
      "sigmoid" (orthogonal classes) or "other".
    class_definition: URL of a page that defines the class indices (C8).
    language: of the labels, as ISO 639 has it: `"en"`.
    results: measured on `dataset`, by metric: `{"accuracy": 0.97}`.
    format: "tfhub" or "huggingface": where the page is for.
  """

  handle: str
  asset_path: str | None = None
  description: str | None = None
  license: str | None = None
  network: str | None = None
  dataset: str | None = None
  scores: str | None = None
  class_definition: str | None = None
  language: str | None = None
  results: Mapping[str, float] | None = None
  format: str = forms.TFHUB

  @classmethod
  def of(cls, format: str, details: dict[str, Any]) -> PageDetails:
    """Raises TypeError for what is missing, or does not exist, by name."""
    arguments.check_choice("format", format, forms.FORMATS)
    names = [f.name for f in dataclasses.fields(cls) if f.name != "format"]
    arguments.check_known(details, names)
    needed = ["handle", *(["asset_path"] if format == forms.TFHUB else [])]
    missing = [name for name in needed if details.get(name, "") == ""]
    if missing:
      raise TypeError(
        f"{' and '.join(missing)} missing: expected for the page. Give them"
      )
    return cls(**details, format=format)

  def __post_init__(self) -> None:
    """Raises TypeError or ValueError, with everything that is wrong."""
    arguments.check_choice("format", self.format, forms.FORMATS)
    for name in ("handle", *_STRINGS):
      value = getattr(self, name)
      if value is not None or name in self._needed:
        arguments.check_string(name, value)
    words = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
    problems = forms.errors(self.format, words)
    problems += forms.result_errors(self.results, self.dataset)
    if problems:
      raise ValueError("; ".join(problems))

  @property
  def _needed(self) -> tuple[str, ...]:
    return (
      ("handle", "asset_path") if self.format == forms.TFHUB else ("handle",)
    )

  @property
  def name(self) -> str:
    """The handle without publisher and version."""
    return self.handle.split("/", 1)[1].rpartition("/")[0]

  @property
  def repository(self) -> str:
    """The handle without the version: a repository on Hugging Face."""
    return self.handle.rpartition("/")[0]

  @property
  def url(self) -> str:
    """From where consumers load the module."""
    if self.asset_path is not None:
      return self.asset_path
    version = self.handle.rpartition("/")[2]
    return (
      f"https://huggingface.co/{self.repository}/resolve/main/"
      f"{self.name}-{version}{SUFFIX}"
    )

  @property
  def saved_model_url(self) -> str:
    """Of the same module as a TF2 SavedModel, where there is one."""
    return f"{self.url.removesuffix(SUFFIX)}-tf2{SUFFIX}"


_STRINGS = (
  "asset_path",
  "description",
  "license",
  "network",
  "dataset",
  "scores",
  "class_definition",
  "language",
)


def check_classes(
  details: PageDetails,
  tasks: tuple[str, ...],
  has_labels: bool,
  activation: str | None,
) -> None:
  """Whether what C8 demands of a classifier's page can be said.

  Args:
    details: the publisher's.
    tasks: that the module serves.
    has_labels: whether it carries the names of its classes.
    activation: "softmax" or "sigmoid", if the network ended in it.

  Raises:
    ValueError: something is missing, or contradicts the module.
  """
  if contract.IMAGE_CLASSIFICATION not in tasks:
    given = [n for n in ("scores", "class_definition") if getattr(details, n)]
    if given:
      raise ValueError(
        f"{' and '.join(given)} given, but the module is no classifier: leave "
        "that out"
      )
    return
  problems = []
  if not has_labels and details.class_definition is None:
    problems.append(
      f"what its classes are: export it with {called('labels')}, or give "
      f"{called('class_definition')}, the URL of a page that defines them"
    )
  if not activation and details.scores is None:
    problems.append(
      f"what its logits are meant for: give {called('scores')}, one of "
      + ", ".join(forms.SCORES)
    )
  if problems:
    raise ValueError(
      f"the page of a classifier has to say {'; and '.join(problems)} (C8)"
    )
  if activation and details.scores not in (None, activation):
    raise ValueError(
      f"scores is {details.scores!r}, but the network ended in a {activation}: "
      "leave it out"
    )
