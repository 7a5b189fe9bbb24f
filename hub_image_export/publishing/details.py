# SPDX-License-Identifier: Apache-2.0
"""What a module page says and no module can know: its publisher's words.

The forms are those that the public hub's validator demands (tfhub.dev,
`tools/validator.py` and `tags/*.yaml`).
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import pathlib
import re
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.arguments import shown
from hub_image_export.publishing.archive import SUFFIX

SCORES = ("softmax", "sigmoid", "other")
_TAGS = pathlib.Path(__file__).parent.parent / "data/page_tags.json"
_URL_CHARACTERS = r"(?a:[\w.~:/?#\[\]@!$&'()*+,;=%-]+)"
# What each word has to look like, and that in words. The robots.txt of
# github.com lets no hub fetch archives from there.
_FORMS = {
  # google/imagenet/mobilenet_v2_100_224/classification/5
  "handle": (
    r"(?a:[a-z\d-]+/[\w.-]+(/[\w.-]+)*/\d+)",
    "publisher/name/version, such as 'my-lab/flowers/feature_vector/1'; the "
    "publisher in lower case, the version a number",
  ),
  # https://example.com/modules/mine/1.tar.gz, gs://bucket/mine/1.tar.gz
  "asset_path": (
    rf"(?!https?://github\.com/)(https?|gs)://{_URL_CHARACTERS}"
    + re.escape(SUFFIX),
    f"the URL (https:// or gs://, but not github.com) of an archive, ending in "
    f"{SUFFIX}",
  ),
  "description": (r"(?s).*\S.*", "a paragraph that is not blank, or None"),
  "scores": ("|".join(SCORES), f"one of {SCORES}"),
  "class_definition": (rf"https?://{_URL_CHARACTERS}", "an https:// URL"),
}


@dataclasses.dataclass(frozen=True)
class PageDetails:
  """A publisher's words about a module.

  Attributes:
    handle: `publisher/name/version`, where the name may have slashes.
    asset_path: URL of the archive, from which consumers load the module.
    description: one paragraph of plain text; None for one made of the module.
    license: an identifier such as `"apache-2.0"`.
    network: the architecture's identifier, such as `"mobilenet-v2"`.
    dataset: the training data's, such as `"imagenet-ilsvrc-2012-cls"`.
    scores: what the logits are meant for (C8): "softmax" (exclusive classes),
      "sigmoid" (orthogonal classes) or "other".
    class_definition: URL of a page that defines the class indices (C8).
  """

  handle: str
  asset_path: str
  description: str | None = None
  license: str | None = None
  network: str | None = None
  dataset: str | None = None
  scores: str | None = None
  class_definition: str | None = None

  @classmethod
  def of(cls, details: dict[str, Any]) -> PageDetails:
    """Raises TypeError for what is missing, or does not exist, by name."""
    fields = dataclasses.fields(cls)
    arguments.check_known(details, [field.name for field in fields])
    missing = [
      field.name
      for field in fields
      if field.default is not None and field.name not in details
    ]
    if missing:
      raise TypeError(f"the page needs {' and '.join(missing)}: give them")
    return cls(**details)

  def __post_init__(self) -> None:
    """Raises TypeError or ValueError, with everything that is wrong."""
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if value is not None or field.default is not None:
        arguments.check_string(field.name, value)
    problems = [
      f"{name} is {shown(value)}: expected {expected}"
      for name, (form, expected) in _FORMS.items()
      if (value := getattr(self, name)) is not None
      and not re.fullmatch(form, value)
    ]
    problems += [
      *_tag_errors("license", self.license),
      *_tag_errors("network-architecture", self.network),
      *_tag_errors("dataset", self.dataset),
    ]
    if problems:
      raise ValueError("; ".join(problems))


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
      "what its classes are: export it with labels=, or give "
      "class_definition=, the URL of a page that defines them"
    )
  if not activation and details.scores is None:
    problems.append(
      f"what its logits are meant for: give scores=, one of {', '.join(SCORES)}"
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


@functools.lru_cache(maxsize=1)
def known_tags() -> dict[str, list[str]]:
  """The identifiers that the public hub's pages may use, by key."""
  return json.loads(_TAGS.read_text(encoding="utf-8"))


def _tag_errors(key: str, value: str | None) -> list[str]:
  known = known_tags()[key]
  if value is None or value in known:
    return []
  start = value[:99].lower()
  near = difflib.get_close_matches(start, known, 3, 0.4) or known[:5]
  fallback = [v for v in ("other", "custom") if v in known]
  return [
    f"{key} is {shown(value)}: expected an identifier that the hub knows. Did "
    f"you mean {' or '.join(near)}? Else leave it out, or give {fallback[0]!r}"
  ]
