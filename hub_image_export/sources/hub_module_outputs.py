# SPDX-License-Identifier: Apache-2.0
"""Which tensors of an existing module are wanted, by what they are called."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from absl import logging

from hub_image_export import arguments, contract
from hub_image_export.graph.graph_defs import node_of


class Signatures:
  """The signatures of one variant.

  Attributes:
    images: names of the tensors that take the images.
    momentum: name of the tensor that takes the momentum (H1), if there is one.
  """

  def __init__(self, meta_graph: Any) -> None:
    self._defs = dict(meta_graph.signature_def)
    self._nodes = {node.name for node in meta_graph.graph_def.node}
    self.images = sorted({_images_of(k, d) for k, d in self._defs.items()})
    self.momentum = next(
      (
        d.inputs[contract.BATCH_NORM_MOMENTUM].name
        for d in self._defs.values()
        if contract.BATCH_NORM_MOMENTUM in d.inputs
      ),
      None,
    )

  def outputs_of(self, signature: str) -> dict[str, str]:
    """Names of tensors by key; the main one is "default" (C3)."""
    found = self._named_outputs(signature)
    if contract.DEFAULT_OUTPUT not in found and len(found) == 1:
      found = {contract.DEFAULT_OUTPUT: next(iter(found.values()))}
    return found

  def _named_outputs(self, signature: str) -> dict[str, str]:
    if signature not in self._defs:
      return {}
    return {k: v.name for k, v in self._defs[signature].outputs.items()}

  def for_task(self, task: str) -> str | None:
    """The signature for a task; a misspelt name counts (C2, C6)."""
    if task in self._defs:
      return task
    plain = {_plain(name): name for name in self._defs}
    near = difflib.get_close_matches(_plain(task), plain, 1, 0.85)
    if not near:
      return None
    logging.warning(
      "The module has the signature %r: taken for %r", plain[near[0]], task
    )
    return plain[near[0]]

  def tensor(self, name: str) -> str:
    """The tensor that is called so: see `ModuleFunction`.

    Raises:
      ValueError: there is none; the nearest names are told.
    """
    defaults = self._named_outputs(contract.DEFAULT_SIGNATURE)
    if name in self._defs:
      outputs = self.outputs_of(name)
      if contract.DEFAULT_OUTPUT in outputs:
        return outputs[contract.DEFAULT_OUTPUT]
    if name in defaults:
      return defaults[name]
    if node_of(name) in self._nodes:
      return name if ":" in name else f"{name}:0"
    known = [*self._defs, *defaults, *self._nodes]
    near = difflib.get_close_matches(name, known, 3, 0.5)
    raise ValueError(
      f"the module has no signature, output or tensor {name!r}"
      + (f". Did you mean one of {near}?" if near else "")
    )


def _plain(name: str) -> str:
  return name.lower().replace("-", "_")


def _images_of(signature: str, definition: Any) -> str:
  inputs = dict(definition.inputs)
  inputs.pop(contract.BATCH_NORM_MOMENTUM, None)
  if contract.IMAGES in inputs:
    return inputs[contract.IMAGES].name
  if len(inputs) == 1:
    return next(iter(inputs.values())).name
  raise ValueError(
    f"the module's signature {signature!r} has the inputs {sorted(inputs)}: "
    "expected one, the images (C13)"
  )


@dataclasses.dataclass(frozen=True)
class Outputs:
  """Which outputs are wanted.

  Attributes:
    names: by key; see `ModuleFunction`. None where the signatures say.
    tasks: the wanted tasks, for that case; None for all, empty for whatever
      the default signature gives.
  """

  names: Mapping[str, str] | None
  tasks: tuple[str, ...] | None

  @classmethod
  def of(cls, outputs: Any, tasks: Any) -> Outputs:
    """Checks the arguments of `ModuleFunction`, which have these names."""
    if outputs is not None:
      outputs = arguments.check_mapping("outputs", outputs)
      if not outputs:
        raise arguments.wrong_value(
          "outputs", outputs, "at least one, or None for what signatures say"
        )
    if tasks is not None:
      tasks = arguments.check_strings("tasks", tasks)
      for task in tasks:
        arguments.check_choice("tasks: one of them", task, contract.TASKS)
    return cls(outputs, tasks)

  def find(self, signatures: Signatures) -> dict[str, str]:
    """Names of tensors by key."""
    if self.names is not None:
      return {key: signatures.tensor(v) for key, v in self.names.items()}
    if self.tasks is None:
      return _all_tasks(signatures)
    found = signatures.for_task(self.tasks[0]) if self.tasks else None
    outputs = signatures.outputs_of(found or contract.DEFAULT_SIGNATURE)
    if contract.DEFAULT_OUTPUT not in outputs:
      raise ValueError(
        f"the module's signature {found or contract.DEFAULT_SIGNATURE!r} has "
        f"the outputs {sorted(outputs)}: expected 'default' among them. Choose "
        "with ModuleFunction(module, outputs)"
      )
    return outputs


def _all_tasks(signatures: Signatures) -> dict[str, str]:
  found: dict[str, str] = {}
  for task in contract.TASKS:
    signature = signatures.for_task(task)
    if signature:
      outputs = signatures.outputs_of(signature)
      found[task] = signatures.tensor(signature)
      outputs.pop(contract.DEFAULT_OUTPUT, None)
      found.update(outputs)
  return found
