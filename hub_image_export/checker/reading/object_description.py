# SPDX-License-Identifier: Apache-2.0
"""What a reusable SavedModel is, as its files tell: `Report.summary`."""

from __future__ import annotations

from typing import Any

from hub_image_export.checker.reading.manifest_rules import (
  compare_with_manifest,
  stated_image_size,
)
from hub_image_export.checker.reading.saved_objects import (
  ReusableModule,
  SavedObjects,
  Spec,
  callables,
)
from hub_image_export.checker.report import Found, clean
from hub_image_export.checker.shapes import dims, element_count

# Where nothing tells: most image models were trained with it.
_USUAL_SIDE = 224


def describe_objects(module: ReusableModule) -> dict[str, Any]:
  """JSON values; `docs/rules.md` documents them."""
  objects = module.objects
  root, *subs = callables(objects)
  variables = [n for n in range(len(objects.nodes)) if objects.is_variable(n)]
  shape = _shape(objects)
  is_fixed = shape is not None and None not in shape
  return {
    "variants": [sorted(map(clean, objects.meta_graph.meta_info_def.tags))],
    "tasks": [sub.name for sub in subs] or [t for t in [root.task] if t],
    "image_size": list(shape) if shape and is_fixed else None,
    "variable_size": not is_fixed,
    "signatures": {
      judged.where(): {"width": judged.width, "endpoints": []}
      for judged in (root, *subs)
    },
    "parameters": _count(objects, variables),
    "trainable_parameters": _count(
      objects, [n for n in variables if objects.is_trainable(n)]
    ),
    "tensorflow": clean(objects.meta_graph.meta_info_def.tensorflow_version)
    or None,
    "ran": False,
    "why_not_run": "nothing was to be run",
  }


def check_object_manifest(module: ReusableModule) -> Found:
  """F6; hashes of files tell of the labels, which are one."""
  described = describe_objects(module)
  facts: dict[str, Any] = {
    "variable_size": described["variable_size"],
    "widths": {
      judged.task: judged.width
      for judged in callables(module.objects)
      if judged.task
    },
  }
  if not described["variable_size"]:
    facts["image_size"] = described["image_size"]
  yield from compare_with_manifest(module.directory, facts)


def _count(objects: SavedObjects, variables: list[int]) -> int:
  return sum(
    element_count(dims(objects.nodes[n].variable.shape)) for n in variables
  )


def _shape(objects: SavedObjects) -> tuple[int | None, ...] | None:
  """Height and width in the first trace of the root."""
  for images in callables(objects)[0].images:
    if isinstance(images, Spec) and images.shape and len(images.shape) == 4:
      return images.shape[1:3]
  return None


def image_size(module: ReusableModule) -> tuple[int, int]:
  """The size to try it with."""
  height, width = _shape(module.objects) or (None, None)
  if height is None or width is None:
    stated = stated_image_size(module.directory)
    height, width = stated if stated else (height, width)
  return height or _USUAL_SIDE, width or _USUAL_SIDE
