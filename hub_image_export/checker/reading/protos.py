"""Parses the protocol buffers of a module (F1)."""

from __future__ import annotations

import os
import pathlib

from google.protobuf import message

from hub_image_export import contract
from hub_image_export.checker.module import Module, Variant
from hub_image_export.checker.report import Findings
from hub_image_export.tensorflow_api.protos import (
  AssetFileDef,
  ModuleDef,
  SavedModel,
)

_SAVED_MODEL_ASSETS = "saved_model_assets"


def read_module(directory: str, findings: Findings) -> Module | None:
  """The module in `directory`; None where its graph cannot be parsed."""
  saved_model = SavedModel()
  data = (pathlib.Path(directory) / contract.SAVED_MODEL_FILE).read_bytes()
  try:
    saved_model.ParseFromString(data)
  except (message.DecodeError, ValueError, RecursionError) as error:
    findings.add(
      "corrupt-file",
      contract.SAVED_MODEL_FILE,
      f"It does not parse as a SavedModel ({error}). Export or download it "
      "again.",
    )
    return None
  if not saved_model.meta_graphs:
    findings.add(
      "corrupt-file",
      contract.SAVED_MODEL_FILE,
      f"Got {len(data)} bytes without a graph; expected a SavedModel with at "
      "least one. Export or download it again.",
    )
    return None
  if not _has_module_def(directory, saved_model, findings):
    return None
  return Module(directory, [Variant(m) for m in saved_model.meta_graphs])


def _has_module_def(
  directory: str, saved_model: SavedModel, findings: Findings
) -> bool:
  """Checks tfhub_module.pb; False for a SavedModel of another kind."""
  path = pathlib.Path(directory) / contract.MODULE_DEF_FILE
  if path.exists():
    _check_module_def(path, findings)
    return True
  if any(m.HasField("object_graph_def") for m in saved_model.meta_graphs):
    findings.add(
      "not-a-module",
      "",
      "Got a SavedModel in the TF2 format; expected the TF1 Hub format, which "
      "hub.Module takes. Load it with hub.load and export it again.",
    )
    return False
  findings.add(
    "missing-module-def",
    contract.MODULE_DEF_FILE,
    "The file is missing: this is an unfinished export, or a SavedModel that "
    "hub.Module does not take. Export it again.",
  )
  return True


def _check_module_def(path: pathlib.Path, findings: Findings) -> None:
  definition = ModuleDef()
  try:
    definition.ParseFromString(path.read_bytes())
  except (message.DecodeError, ValueError) as error:
    findings.add(
      "corrupt-file", path.name, f"It does not parse ({error}). Export again."
    )
    return
  if definition.format != ModuleDef.FORMAT_V3:
    findings.add(
      "corrupt-file",
      path.name,
      f"Got format {definition.format}; expected 3, the only one that "
      "hub.Module reads. Export again.",
    )
  if definition.required_features:
    findings.add(
      "corrupt-file",
      path.name,
      f"It requires the features {sorted(definition.required_features)[:5]}, "
      "which no version of tensorflow_hub has. Export again.",
    )


def check_assets(module: Module, findings: Findings) -> None:
  """Assets that the graph names, and those that it does not (F1, F5)."""
  named = set()
  for variant in module.variants:
    for asset in asset_files(variant):
      named.add(asset.filename)
      _check_asset(module.directory, variant, asset.filename, findings)
  folder = pathlib.Path(module.directory) / contract.ASSETS_DIR
  present = sorted(folder.iterdir())[:1000] if folder.is_dir() else []
  for path in present:
    if path.name not in named:
      findings.add(
        "unexpected-file",
        f"{contract.ASSETS_DIR}/{path.name}",
        "No variant names this asset. Remove it, or put it into "
        f"{contract.EXTRA_ASSETS_DIR}/.",
        severity="warning",
      )


def asset_files(variant: Variant) -> list[AssetFileDef]:
  """The assets that a variant's graph refers to."""
  if _SAVED_MODEL_ASSETS not in variant.meta_graph.collection_def:
    return []
  collection = variant.meta_graph.collection_def[_SAVED_MODEL_ASSETS]
  found = []
  for value in collection.any_list.value:
    asset = AssetFileDef()
    if value.Unpack(asset):
      found.append(asset)
  return found


def _check_asset(
  directory: str, variant: Variant, name: str, findings: Findings
) -> None:
  if os.path.isabs(name) or ".." in name.replace("\\", "/").split("/"):
    findings.add(
      "not-hermetic",
      variant.where(tensor=f"asset {name}"),
      "Got an asset outside of the module; expected a file name in assets/. "
      "Export with the file as an asset.",
    )
  elif not os.path.isfile(os.path.join(directory, contract.ASSETS_DIR, name)):
    findings.add(
      "missing-asset",
      variant.where(tensor=f"asset {name}"),
      "The graph names this asset and assets/ does not have it. Export again.",
    )
