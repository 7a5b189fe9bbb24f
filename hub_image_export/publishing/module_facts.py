# SPDX-License-Identifier: Apache-2.0
"""What a module on disk says of itself, for its page."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from hub_image_export import contract
from hub_image_export.checker import Report, check_module
from hub_image_export.errors import CheckError
from hub_image_export.files.listing import directory_size
from hub_image_export.publishing.network_stages import (
  Stage,
  find_stages,
  shape_of,
)
from hub_image_export.serving.class_labels import load_labels
from hub_image_export.serving.statements import read_manifest
from hub_image_export.tensorflow_api.compat import hub
from hub_image_export.untrusted import saved_models

_OLDEST = "oldest-tensorflow"


@dataclasses.dataclass(frozen=True)
class ModuleFacts:
  """A module in numbers and names.

  Attributes:
    tasks: the task signatures that it has.
    default_task: the one that `default` serves (C9).
    image_size: expected height and width (C16).
    variable_size: whether other sizes are accepted (C15).
    trains: whether there is a training variant (F2).
    bn_hparams: whether `batch_norm_momentum` is an input (H1).
    widths: number of features or classes, by task.
    shapes: from a key in the outputs of `default_task` to its shape.
    labels: names of the classes, or None.
    activation: what the classifier ended in before it was made to give
      logits, if its manifest says so.
    preprocessing: what the module does to the pixels, if its manifest says so.
    parameters, trainable_parameters: how many numbers the variables hold.
    num_bytes: of all files.
    tensorflow: the version that wrote the graph.
    too_new: the variants that TensorFlow 1.15 does not load.
    stages: of the network of the inference variant, by the tensor's name.
  """

  tasks: tuple[str, ...]
  default_task: str
  image_size: tuple[int, int]
  variable_size: bool
  trains: bool
  bn_hparams: bool
  widths: dict[str, int]
  shapes: dict[str, str]
  labels: list[str] | None
  activation: str | None
  preprocessing: str | None
  parameters: int
  trainable_parameters: int
  num_bytes: int
  tensorflow: str
  too_new: tuple[str, ...]
  stages: dict[str, Stage]

  @property
  def is_classifier(self) -> bool:
    return contract.IMAGE_CLASSIFICATION in self.tasks


def read_module(
  path: str | os.PathLike[str], report: Report | None = None
) -> ModuleFacts:
  """Reads a module's files; runs nothing.

  Args:
    path: the module's directory.
    report: what `check_module` said of it; None to let it read the files.

  Raises:
    CheckError: it breaks the contract, so that a page would promise too much.
  """
  path = os.fspath(path)
  report = report or check_module(path, static=True)
  if report.errors:
    raise CheckError(
      f"no page is written for {path!r}, which breaks the contract: "
      f"{report.errors[0]}. check_module tells more"
    )
  summary = report.summary
  spec = hub.load_module_spec(path)
  meta_graph = saved_models.meta_graph(path, contract.INFERENCE_TAGS)
  default_task = _default_task(meta_graph, summary["tasks"])
  manifest = read_manifest(path)
  return ModuleFacts(
    tasks=tuple(summary["tasks"]),
    default_task=default_task,
    image_size=tuple(summary["image_size"]),
    variable_size=summary["variable_size"],
    trains=["train"] in summary["variants"],
    bn_hparams=any(
      name.endswith(contract.BN_HPARAMS_SUFFIX)
      for name in summary["signatures"]
    ),
    widths={t: summary["signatures"][t]["width"] for t in summary["tasks"]},
    shapes=_shapes(spec, default_task),
    labels=load_labels(path),
    activation=manifest.activation,
    preprocessing=manifest.preprocessing,
    parameters=summary["parameters"],
    trainable_parameters=summary["trainable_parameters"],
    num_bytes=directory_size(path),
    tensorflow=summary["tensorflow"] or "unknown",
    too_new=_too_new(report),
    stages=_stages(meta_graph, summary, default_task),
  )


def _default_task(meta_graph: Any, tasks: list[str]) -> str:
  signatures = meta_graph.signature_def
  outputs = signatures[contract.DEFAULT_SIGNATURE].outputs
  return next(
    task
    for task in tasks
    if signatures[task].outputs[contract.DEFAULT_OUTPUT].name
    == outputs[contract.DEFAULT_OUTPUT].name
  )


def _shapes(spec: Any, signature: str) -> dict[str, str]:
  outputs = spec.get_output_info_dict(signature)
  return {
    key: shape_of(info.get_shape()) for key, info in sorted(outputs.items())
  }


def _stages(
  meta_graph: Any, summary: dict[str, Any], default_task: str
) -> dict[str, Stage]:
  signatures = meta_graph.signature_def
  main = signatures[default_task]
  outputs = {key: info.name for key, info in sorted(main.outputs.items())}
  del outputs[contract.DEFAULT_OUTPUT]
  for task in summary["tasks"]:
    outputs[task] = signatures[task].outputs[contract.DEFAULT_OUTPUT].name
  return find_stages(
    meta_graph.graph_def,
    main.inputs[contract.IMAGES].name,
    outputs,
    tuple(summary["image_size"]),
  )


def _too_new(report: Report) -> tuple[str, ...]:
  warned = [f for f in report.warnings if f.rule == _OLDEST]
  return tuple(sorted(finding.where for finding in warned))
