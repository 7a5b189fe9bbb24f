# SPDX-License-Identifier: Apache-2.0
"""What a `--model` that names nothing could have meant."""

from __future__ import annotations

import difflib
import os
import re

from hub_image_export import contract
from hub_image_export.sources import applications

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
META_GRAPH = ".meta"
_KINDS = (
  contract.MODULE_DEF_FILE,
  contract.SAVED_MODEL_FILE,
  "saved_model.pbtxt",
)
_WEIGHTS_SUFFIX = ".weights.h5"
_OF_CHECKPOINT = re.compile(r"\.(index|data-\d+-of-\d+)$")
_SHOWN = 3


def beside(model: str, is_file: bool) -> str:
  """Of what stands beside it, or of Applications with a like name.

  Args:
    model: a path, or a name.
    is_file: whether it ends as files do that would be taken.
  """
  directory, name = os.path.split(model)
  entries = _listed(directory)
  close = difflib.get_close_matches(name[:99], entries, 2, 0.7)
  close += [e for e in entries if os.path.splitext(e)[0] == name != ""]
  near = [os.path.join(directory, entry) for entry in dict.fromkeys(close)]
  if is_file:
    return f". No file {model!r} is there{_meant(near)}"
  graphs = _graphs(model)
  if os.path.exists(model) or graphs:
    return f", not one of another format{_meant(graphs)}"
  return _meant(near if directory else near + applications.nearest(model))


def within(directory: str) -> str:
  """Of what a directory has in it."""
  return _meant(_models(directory))


def directory_kinds(path: str) -> list[str]:
  """Which of the files that tell what a directory is are there."""
  files = os.listdir(path)
  return [name for name in _KINDS if name in files]


def _meant(names: list[str]) -> str:
  return f". Did you mean {' or '.join(names[:_SHOWN])}?" if names else ""


def _listed(directory: str) -> list[str]:
  try:
    return os.listdir(directory or ".")
  except OSError:
    return []


def _models(directory: str) -> list[str]:
  """Paths of the models in a directory, as far as names tell."""
  paths = [os.path.join(directory, name) for name in _listed(directory)]
  return sorted(path for path in paths if _is_model(path))


def _is_model(path: str) -> bool:
  if os.path.isdir(path):
    return bool(set(_KINDS).intersection(_listed(path)))
  weights = path.endswith(_WEIGHTS_SUFFIX)
  return path.endswith((*KERAS_SUFFIXES, META_GRAPH)) and not weights


def _graphs(path: str) -> list[str]:
  """The graph of a checkpoint that is given by another of its files."""
  directory, name = os.path.split(path)
  of_all = name == "checkpoint"  # It has the names of all.
  graph = os.path.join(directory, _OF_CHECKPOINT.sub("", name) + META_GRAPH)
  return [
    other
    for other in _models(directory)
    if other == graph or (of_all and other.endswith(META_GRAPH))
  ]
