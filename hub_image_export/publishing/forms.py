# SPDX-License-Identifier: Apache-2.0
"""What a publisher's words have to look like, where they are published.

The forms are those that the public hub's validator demanded (tfhub.dev,
`tools/validator.py` and `tags/*.yaml`), which other hubs took over, and those
of Hugging Face's metadata of models.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from hub_image_export import arguments
from hub_image_export.arguments import shown
from hub_image_export.publishing.archive import SUFFIX

TFHUB, HUGGINGFACE = FORMATS = ("tfhub", "huggingface")
SCORES = ("softmax", "sigmoid", "other")
_TAGS = pathlib.Path(__file__).parent.parent / "data/page_tags.json"
_URL_CHARACTERS = r"(?a:[\w.~:/?#\[\]@!$&'()*+,;=%-]+)"
# A name on Hugging Face: its ends are letters or digits, and neither "--" nor
# ".." nor ".git" is in it (huggingface_hub.utils.validate_repo_id).
_HF_NAME = r"(?a:(?!\S*(--|\.\.|\.git(?![\w.-])))\w([\w.-]{0,94}\w)?)"
# What each word has to look like, and that in words. The robots.txt of
# github.com lets no hub fetch archives from there.
_FORMS = {
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
  "language": (
    "[a-z]{2,3}|multilingual",
    "an ISO 639 code such as 'en', or 'multilingual'",
  ),
}
_FORMS_OF = {
  TFHUB: {
    # google/imagenet/mobilenet_v2_100_224/classification/5
    "handle": (
      r"(?a:[a-z\d-]+/[\w.-]+(/[\w.-]+)*/\d+)",
      "publisher/name/version, such as 'my-lab/flowers/feature_vector/1'; the "
      "publisher in lower case, the version a number",
    ),
  },
  HUGGINGFACE: {
    "handle": (
      rf"{_HF_NAME}/{_HF_NAME}/\d+",
      "publisher/name/version, such as 'my-lab/flowers/1': a repository of "
      "Hugging Face, and a number, for each version of a module has a URL of "
      "its own (F6)",
    ),
    "network": (r"(?a:[\w.+-]{1,96})", "a tag such as 'mobilenet-v2'"),
    "dataset": (
      rf"({_HF_NAME}/)?{_HF_NAME}",
      "the name of a data set on Hugging Face, such as 'ILSVRC/imagenet-1k'",
    ),
  },
}
# What the place has a list of: from the word to the list's key.
_LISTED = {
  TFHUB: {
    "license": "license",
    "network": "network-architecture",
    "dataset": "dataset",
  },
  HUGGINGFACE: {"license": "huggingface-license"},
}
_RESULTS = "a dict from metrics to numbers, such as {'accuracy': 0.97}"
_METRIC = r"(?a:[a-z\d][a-z\d_@-]{0,95})"


def errors(page_format: str, words: Mapping[str, Any]) -> list[str]:
  """What is wrong with a publisher's words: got, expected, what to do.

  Args:
    page_format: one of `FORMATS`.
    words: by their names; None for what is not said.
  """
  forms = {**_FORMS, **_FORMS_OF[page_format]}
  found = [
    f"{name} is {shown(value)}: expected {expected}"
    for name, (form, expected) in forms.items()
    if (value := words[name]) is not None and not re.fullmatch(form, value)
  ]
  for name, key in _LISTED[page_format].items():
    found += _tag_errors(name, key, words[name])
  return found


def result_errors(results: Any, dataset: str | None) -> list[str]:
  """Likewise of what was measured; raises TypeError for what is no dict."""
  if results is None:
    return []
  if not isinstance(results, Mapping):
    raise arguments.wrong_type("results", results, _RESULTS)
  good = all(
    isinstance(metric, str)
    and re.fullmatch(_METRIC, metric)
    and arguments.is_number(value)
    and math.isfinite(value)
    for metric, value in results.items()
  )
  if not good or not results:
    return [f"results is {shown(results)}: expected {_RESULTS}"]
  if dataset is None:
    return [
      f"results is {shown(results)}, without dataset: expected what they were "
      "measured on"
    ]
  return []


@functools.lru_cache(maxsize=1)
def known_tags() -> dict[str, list[str]]:
  """The identifiers that the public hub's pages may use, by key."""
  return json.loads(_TAGS.read_text(encoding="utf-8"))


def _tag_errors(name: str, key: str, value: str | None) -> list[str]:
  known = known_tags()[key]
  if value is None or value in known:
    return []
  start = value[:99].lower()
  near = difflib.get_close_matches(start, known, 3, 0.4) or known[:5]
  fallback = [v for v in ("other", "custom") if v in known]
  return [
    f"{name} is {shown(value)}: expected an identifier that the hub knows. Did "
    f"you mean {' or '.join(near)}? Else leave it out, or give {fallback[0]!r}"
  ]
