# SPDX-License-Identifier: Apache-2.0
"""Parses the protocol buffers of a module; its assets (F1, F5)."""

from __future__ import annotations

import os
import pathlib

from google.protobuf import message

from hub_image_export import contract
from hub_image_export.checker.judged import JudgedModule, JudgedVariant
from hub_image_export.checker.reading.saved_objects import (
  ReusableModule,
  SavedObjects,
)
from hub_image_export.checker.report import Findings, Found
from hub_image_export.tensorflow_api.protos import ModuleDef
from hub_image_export.untrusted import saved_models

_MOST_ASSETS = 1000


def read_module(
  directory: str, findings: Findings
) -> JudgedModule | ReusableModule | None:
  """The module in `directory`, of either format; None for what is none.

  As tensorflow_hub does, it takes `tfhub_module.pb` for the mark of the TF1 Hub
  format, and a graph of objects for that of TF2.
  """
  problem = None
  try:
    saved_model = saved_models.parse(directory)
    if not saved_model.meta_graphs:
      problem = (
        f"Got {saved_model.ByteSize()} bytes without a graph; expected a "
        "SavedModel with at least one. Export or download it again."
      )
  except ValueError as error:
    problem = (
      f"It does not parse as a SavedModel ({error}). Export or download it "
      "again."
    )
  if problem:
    findings.add("corrupt-file", contract.SAVED_MODEL_FILE, problem)
    return None
  path = pathlib.Path(directory) / contract.MODULE_DEF_FILE
  if path.exists():
    for problem in _module_def_problems(path):
      findings.add("corrupt-file", path.name, problem)
  elif saved_model.meta_graphs[0].HasField("object_graph_def"):
    return ReusableModule(directory, SavedObjects(saved_model.meta_graphs[0]))
  else:
    text = (
      "The file is missing: this is an unfinished export, or a SavedModel that "
      "hub.Module does not take. Export it again."
    )
    findings.add("missing-module-def", path.name, text)
  variants = [JudgedVariant(meta) for meta in saved_model.meta_graphs]
  return JudgedModule(directory, variants)


def _module_def_problems(path: pathlib.Path) -> list[str]:
  definition = ModuleDef()
  try:
    definition.ParseFromString(path.read_bytes())
  except (message.DecodeError, ValueError) as error:
    return [f"It does not parse ({error}). Export again."]
  problems = []
  if definition.format != ModuleDef.FORMAT_V3:
    problems.append(
      f"Got format {definition.format}; expected 3, the only one that "
      "hub.Module reads. Export again."
    )
  if definition.required_features:
    problems.append(
      f"It requires the features {sorted(definition.required_features)[:5]}, "
      "which no version of tensorflow_hub has. Export again."
    )
  return problems


def check_assets(module: JudgedModule) -> Found:
  """Assets that the graph names, and those that it does not (F1, F5)."""
  folder = pathlib.Path(module.directory) / contract.ASSETS_DIR
  named = set()
  for variant in module.variants:
    for name in (asset.filename for asset in variant.assets):
      named.add(name)
      place = variant.where(f"asset {name}")
      if os.path.isabs(name) or ".." in name.replace("\\", "/").split("/"):
        text = (
          "Got an asset outside of the module; expected a file name in "
          "assets/. Export with the file as an asset."
        )
        yield "not-hermetic", place, text
      elif not os.path.isfile(folder / name):
        text = (
          "The graph names this asset and assets/ does not have it. Export "
          "again."
        )
        yield "missing-asset", place, text
  present = sorted(folder.iterdir())[:_MOST_ASSETS] if folder.is_dir() else []
  for path in present:
    if path.name not in named:
      text = (
        "No variant names this asset. Remove it, or put it into "
        f"{contract.EXTRA_ASSETS_DIR}/."
      )
      place = f"{contract.ASSETS_DIR}/{path.name}"
      yield "unexpected-file", place, text, "warning"
