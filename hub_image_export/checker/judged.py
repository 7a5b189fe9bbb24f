# SPDX-License-Identifier: Apache-2.0
"""The module that is judged: its protos, opened up for the rules."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any

from hub_image_export import contract
from hub_image_export.checker.fingerprints import fingerprint
from hub_image_export.checker.shapes import dims_of
from hub_image_export.checker.variables import JudgedVariable, read_variable
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  AssetFileDef,
  ImageModuleInfo,
  MetaGraphDef,
  ModuleAttachment,
)
from hub_image_export.untrusted.graph import (
  PLACEHOLDER_OPS,
  VARIABLE_OPS,
  Graph,
  node_name,
  tensor_names,
)

IMAGE_SIGNATURES = (
  contract.DEFAULT_SIGNATURE,
  *contract.TASKS,
  *map(contract.bn_hparams_signature, contract.TASKS),
)
_PLAIN_ASSIGNMENTS = frozenset({"Assign", "AssignVariableOp"})
_GIVEN_FROM_OUTSIDE = VARIABLE_OPS | PLACEHOLDER_OPS


class JudgedSignature:
  """One signature of a variant."""

  def __init__(self, variant: JudgedVariant, name: str, definition: Any):
    self.variant = variant
    self.name = name
    self.inputs: dict[str, Any] = dict(definition.inputs)
    self.outputs: dict[str, Any] = dict(definition.outputs)

  def where(self, tensor: str | None = None) -> str:
    """`variant {train}, signature "default", images`."""
    place = f'{self.variant.where()}, signature "{self.name}"'
    return f"{place}, {tensor}" if tensor else place

  @property
  def input_tensors(self) -> list[str]:
    """The names of all tensors that a caller feeds."""
    return [name for i in self.inputs.values() for name in tensor_names(i)]

  @property
  def output_tensors(self) -> list[str]:
    return [name for o in self.outputs.values() for name in tensor_names(o)]

  @property
  def tensor(self) -> str | None:
    """The name of the tensor `default`, if there is one."""
    info = self.outputs.get(contract.DEFAULT_OUTPUT)
    return info.name or None if info is not None else None

  @property
  def width(self) -> int | None:
    """The width of the output `default`, where it is 2-D and known."""
    shape = dims_of(self.outputs.get(contract.DEFAULT_OUTPUT))
    return shape[1] if shape is not None and len(shape) == 2 else None

  @property
  def image_size(self) -> tuple[int | None, int | None] | None:
    """Height and width in the shape of `images`; None without a 4-D shape."""
    shape = dims_of(self.inputs.get(contract.IMAGES))
    if shape is None or len(shape) != 4:
      return None
    return shape[1], shape[2]


class JudgedVariant:
  """One graph variant: its MetaGraphDef and what follows from it."""

  def __init__(self, meta_graph: MetaGraphDef):
    self.meta_graph = meta_graph
    self.tags = frozenset(meta_graph.meta_info_def.tags)
    self.tensorflow: str = meta_graph.meta_info_def.tensorflow_version
    self._fingerprints: dict[str, bytes] = {}

  def where(self, tensor: str | None = None) -> str:
    """`variant {train}, images`."""
    place = f"variant {{{', '.join(sorted(self.tags))}}}"
    return f"{place}, {tensor}" if tensor else place

  @functools.cached_property
  def graph(self) -> Graph:
    return Graph(self.meta_graph.graph_def)

  @functools.cached_property
  def signatures(self) -> dict[str, JudgedSignature]:
    definitions = self.meta_graph.signature_def
    return {n: JudgedSignature(self, n, definitions[n]) for n in definitions}

  @property
  def image_signatures(self) -> list[JudgedSignature]:
    """The signatures that the contract speaks of."""
    names = [name for name in IMAGE_SIGNATURES if name in self.signatures]
    return [self.signatures[name] for name in names]

  @property
  def tasks(self) -> list[str]:
    return [task for task in contract.TASKS if task in self.signatures]

  @property
  def output_tensors(self) -> list[str]:
    """All output tensors of all signatures."""
    signatures = self.signatures.values()
    return [name for s in signatures for name in s.output_tensors]

  @functools.cached_property
  def behind_outputs(self) -> set[str]:
    """The nodes that some output depends on."""
    return self.graph.ancestors(self.output_tensors)

  @functools.cached_property
  def needed(self) -> set[str]:
    """The nodes that consumers may run, by signatures and collections."""
    losses = self.collection(contract.REGULARIZATION_LOSSES)
    tables = self.collection("table_initializer")
    updates = self.collection(contract.UPDATE_OPS)
    run_beside = [*losses, *tables, *updates]
    return self.behind_outputs | self.graph.ancestors(run_beside)

  def fingerprint(self, tensor: str) -> bytes:
    """Equal for tensors that are computed alike."""
    return fingerprint(self.graph, tensor, self._fingerprints)

  @functools.cached_property
  def primary_task(self) -> str | None:
    """The task whose result `default` is, where the graph shows it (C9)."""
    default = self.signatures.get(contract.DEFAULT_SIGNATURE)
    if default is None or default.tensor is None:
      return None
    ours = self.graph.behind_forwarding(default.tensor)
    for task in self.tasks:
      tensor = self.signatures[task].tensor
      theirs = self.graph.behind_forwarding(tensor) if tensor else None
      if theirs and self.fingerprint(ours) == self.fingerprint(theirs):
        return task
    return None

  def _collected(self, name: str, kind: str) -> list[Any]:
    found = self.meta_graph.collection_def.get(name)
    return list(getattr(found, kind).value) if found is not None else []

  def collection(self, name: str) -> list[str]:
    """The tensors or operations of a collection of nodes."""
    return self._collected(name, "node_list")

  @functools.cached_property
  def assets(self) -> list[AssetFileDef]:
    """The files that the graph refers to."""
    assets = []
    for value in self._collected("saved_model_assets", "any_list"):
      asset = AssetFileDef()
      if value.Unpack(asset):
        assets.append(asset)
    return assets

  @functools.cached_property
  def asset_nodes(self) -> set[str]:
    """The nodes that hold the paths of assets, once the graph is loaded."""
    return {node_name(asset.tensor_info.name) for asset in self.assets}

  def attached(self, key: str) -> list[bytes]:
    """The messages that are attached under `key`."""
    values = self._collected("hub_module_attachments", "bytes_list")
    attachments = map(ModuleAttachment.FromString, values)
    return [a.value for a in attachments if a.key == key]

  @functools.cached_property
  def attached_image_size(self) -> tuple[int, int] | None:
    """Height and width of the ImageModuleInfo, where both are set (C16)."""
    for value in self.attached(contract.IMAGE_MODULE_INFO):
      size = ImageModuleInfo.FromString(value).default_image_size
      if size.height and size.width:
        return size.height, size.width
    return None

  @functools.cached_property
  def image_size(self) -> tuple[int, int] | None:
    """What `hub.get_expected_image_size` answers, or None where it fails."""
    if self.attached_image_size:
      return self.attached_image_size
    for signature in self.image_signatures:
      height, width = signature.image_size or (None, None)
      if height and width:
        return height, width
    return None

  @functools.cached_property
  def variables(self) -> dict[str, JudgedVariable]:
    """The collection of variables, by name."""
    return {v.name: v for v in self._variables(contract.VARIABLES)}

  @property
  def is_saved_plainly(self) -> bool:
    """Whether any saver can save it.

    Each variable is whole and listed once, and there is nothing else to save.
    """
    listed = self._collected(contract.VARIABLES, "bytes_list")
    return (
      len(listed) == len(self.variables)
      and not any(variable.part for variable in self.variables.values())
      and "saveable_objects" not in self.meta_graph.collection_def
    )

  @functools.cached_property
  def trainable(self) -> list[str]:
    """The names in the collection of trainable variables."""
    return [v.name for v in self._variables(contract.TRAINABLE_VARIABLES)]

  def _variables(self, collection: str) -> list[JudgedVariable]:
    values = self._collected(collection, "bytes_list")
    return [read_variable(self.graph, value) for value in values]

  def parameters(self, names: Iterable[str]) -> int:
    """How many numbers the variables `names` hold."""
    known = self.variables
    return sum(known[name].elements for name in names if name in known)

  @functools.cached_property
  def state_changes(self) -> dict[str, list[str]]:
    """The variables that each assignment writes, initializers aside."""
    initializers = {node_name(v.initializer) for v in self.variables.values()}
    return {
      name: variables
      for name, variables in self.graph.assignments.items()
      if variables and name not in initializers and not self._initializes(name)
    }

  @functools.cached_property
  def updates(self) -> dict[str, list[str]]:
    """The float variables among them: integers are no moving averages."""
    found = {
      name: [v for v in variables if self._is_float(v)]
      for name, variables in self.state_changes.items()
    }
    return {name: variables for name, variables in found.items() if variables}

  @property
  def float_variables(self) -> set[str]:
    return {
      n for n, v in self.variables.items() if v.shape and self._is_float(n)
    }

  def _is_float(self, variable: str) -> bool:
    dtype = self.graph.nodes[variable].attr["dtype"].type
    return tf.dtypes.as_dtype(dtype).is_floating

  def _initializes(self, name: str) -> bool:
    """Whether the node assigns what depends on no variable and no input.

    Initializers that no collection names, and the rest of a Saver, are such.
    """
    if self.graph.op(name) not in _PLAIN_ASSIGNMENTS:
      return False
    sources = self.graph.ancestors(self.graph.data_inputs(name)[1:])
    return not any(self.graph.op(s) in _GIVEN_FROM_OUTSIDE for s in sources)


@dataclasses.dataclass(frozen=True)
class JudgedModule:
  """A module's directory and its graph variants."""

  directory: str
  variants: list[JudgedVariant]

  def _variant(self, tags: frozenset[str]) -> JudgedVariant | None:
    return next((v for v in self.variants if v.tags == tags), None)

  @property
  def inference(self) -> JudgedVariant | None:
    return self._variant(contract.INFERENCE_TAGS)

  @property
  def train(self) -> JudgedVariant | None:
    return self._variant(contract.TRAIN_TAGS)

  @property
  def main(self) -> JudgedVariant:
    """The inference variant, or what there is instead."""
    return self.inference or self.variants[0]
