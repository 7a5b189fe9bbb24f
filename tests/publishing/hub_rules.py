# SPDX-License-Identifier: Apache-2.0
"""What the public hub demands of a module's page and archive.

Written after the rules of its validator, tfhub.dev's `tools/validator.py` and
`tools/yaml_parser.py` with `tags/*.yaml`, as of March 2024, in which hub's own
tests say what is a good page. Each function lists what is wrong.
"""

from __future__ import annotations

import json
import pathlib
import re
import tarfile

from hub_image_export.tensorflow_api.protos import SavedModel

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_TAGS = json.loads(
  (_ROOT / "hub_image_export/data/page_tags.json").read_text("utf-8")
)
_TASKS = {"image-feature-vector", "image-classification"}
_FIRST_LINE = re.compile(r"# Module [a-z\d-]+/[\w.-]+(/[\w.-]+)*/\d+")
_METADATA = re.compile(r"<!--([\w\s-]+):(.+)-->")
_REQUIRED = {"asset-path", "fine-tunable", "format", "task"}
_OPTIONAL = {"network-architecture", "colab", "dataset", "language", "license"}
_REPEATED = {"dataset", "language", "task", "network-architecture"}
_FILE = re.compile(r"[\w-][-!',\w.=:% ]*(/[\w-][-!',\w.=:% ]*)*")
_FOLDERS = ("assets/", "assets.extra/", "variables/variables.")


def page_errors(text: str) -> list[str]:
  lines = text.split("\n")
  errors = []
  if not _FIRST_LINE.fullmatch(lines[0]):
    errors.append(f"first line {lines[0]!r}")
  rest = lines[1:] if lines[1] else lines[2:]
  if not rest[0] or rest[0].startswith("<!--"):
    errors.append("no description")
  while rest[0] and not rest[0].startswith("<!--"):
    rest = rest[1:]
  metadata: dict[str, list[str]] = {}
  for line in rest:
    if line.startswith("#"):
      break
    match = _METADATA.fullmatch(line)
    if match:
      metadata.setdefault(match[1].strip(), []).append(match[2].strip())
    elif line:
      errors.append(f"{line!r} among the metadata")
  return errors + _metadata_errors(metadata)


def _metadata_errors(metadata: dict[str, list[str]]) -> list[str]:
  keys = set(metadata)
  errors = [f"no {key}" for key in _REQUIRED - keys]
  errors += [f"unknown {key}" for key in keys - _REQUIRED - _OPTIONAL]
  for key, values in metadata.items():
    if len(values) > 1 and key not in _REPEATED:
      errors.append(f"{key} repeated")
    known = _TASKS if key == "task" else _TAGS.get(key)
    if known is not None:
      errors += [f"{key} {v!r}" for v in values if v not in known]
  if metadata.get("format") != ["hub"]:
    errors.append("format is not that of a TF1 Hub module")
  for path in metadata.get("asset-path", ()):
    if not path.endswith(".tar.gz") or "//github.com/" in path:
      errors.append(f"asset-path {path!r}")
  return errors


def archive_errors(path) -> list[str]:
  errors, found = [], False
  with tarfile.open(path, "r:gz") as archive:
    for member in archive:
      if not member.isfile():
        continue
      name = member.name
      plain = name in ("saved_model.pb", "tfhub_module.pb", "fingerprint.pb")
      if not _FILE.fullmatch(name) or not (plain or name.startswith(_FOLDERS)):
        errors.append(f"file {name!r}")
      if name == "saved_model.pb":
        data = archive.extractfile(member).read()
        SavedModel.FromString(data)
        found = True
  return errors if found else [*errors, "no saved_model.pb"]
