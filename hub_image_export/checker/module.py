"""A module's protos, opened up for the rules."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from hub_image_export import contract
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  ImageModuleInfo,
  ModuleAttachment,
  VariableDef,
)
from hub_image_export.untrusted.graph import VARIABLE_OPS, Graph, node_name

IMAGE_SIGNATURES = (
  contract.DEFAULT_SIGNATURE,
  *contract.TASKS,
  *map(contract.bn_hparams_signature, contract.TASKS),
)


@dataclasses.dataclass(frozen=True)
class Variable:
  """A variable of a variant, as its checkpoint must have it."""

  name: str
  key: str
  shape: tuple[int, ...] | None
  dtype: int
  initializer: str


@dataclasses.dataclass
class Variant:
  """One graph variant: its MetaGraphDef and what follows from it."""

  meta_graph: Any

  @functools.cached_property
  def tags(self) -> frozenset[str]:
    return frozenset(self.meta_graph.meta_info_def.tags)

  @functools.cached_property
  def graph(self) -> Graph:
    return Graph(self.meta_graph.graph_def)

  @property
  def signatures(self) -> Any:
    return self.meta_graph.signature_def

  @functools.cached_property
  def image_signatures(self) -> tuple[str, ...]:
    """The signatures that the contract speaks of."""
    return tuple(name for name in IMAGE_SIGNATURES if name in self.signatures)

  def where(self, signature: str | None = None, tensor: str | None = None):
    """`variant {train}, signature "default", images`."""
    place = f"variant {{{', '.join(sorted(self.tags))}}}"
    if signature is not None:
      place += f', signature "{signature}"'
    return f"{place}, {tensor}" if tensor else place

  def collection(self, name: str) -> list[str]:
    """The tensors or operations of a collection of nodes."""
    if name not in self.meta_graph.collection_def:
      return []
    return list(self.meta_graph.collection_def[name].node_list.value)

  def output(self, signature: str) -> str | None:
    """The name of the tensor `default` of a signature, if it has one."""
    outputs = self.signatures[signature].outputs
    if contract.DEFAULT_OUTPUT not in outputs:
      return None
    return outputs[contract.DEFAULT_OUTPUT].name or None

  def inputs(self, signature: str) -> list[str]:
    """The names of all tensors that a caller of the signature feeds."""
    found = []
    for info in self.signatures[signature].inputs.values():
      found += _tensor_names(info)
    return found

  def output_tensors(self, signatures: Any = None) -> list[str]:
    """All output tensors of the given signatures (by default, of all)."""
    found = []
    for name in self.signatures if signatures is None else signatures:
      for info in self.signatures[name].outputs.values():
        found += _tensor_names(info)
    return found

  @functools.cached_property
  def variables(self) -> dict[str, Variable]:
    """The collection of variables, by name."""
    return {v.name: v for v in self._variables(contract.VARIABLES)}

  @functools.cached_property
  def trainable(self) -> list[str]:
    return [v.name for v in self._variables(contract.TRAINABLE_VARIABLES)]

  def _variables(self, collection: str) -> list[Variable]:
    if collection not in self.meta_graph.collection_def:
      return []
    found = []
    for value in self.meta_graph.collection_def[collection].bytes_list.value:
      found.append(self._variable(VariableDef.FromString(value)))
    return found

  def _variable(self, definition: Any) -> Variable:
    name = node_name(definition.variable_name)
    node = self.graph.nodes.get(name)
    shape, dtype = None, 0
    if node is not None and node.op in VARIABLE_OPS:
      shape, dtype = dims(node.attr["shape"].shape), node.attr["dtype"].type
    key = name
    if definition.HasField("save_slice_info_def"):
      key = name.rpartition("/")[0]
      shape = tuple(definition.save_slice_info_def.full_shape)
    return Variable(name, key, shape, dtype, definition.initializer_name)

  def parameters(self, names: Any) -> int:
    """How many numbers the variables `names` hold."""
    total = 0
    for name in names:
      variable = self.variables.get(name)
      if variable is None:
        continue
      node = self.graph.nodes.get(name)
      shape = dims(node.attr["shape"].shape) if node is not None else None
      total += element_count(shape)
    return total


def element_count(shape: tuple[int | None, ...] | None) -> int:
  """The number of elements; 0 for an unknown shape."""
  count = 1
  for size in shape or ():
    count *= size or 0
  return count if shape is not None else 0


def dims(shape: Any) -> tuple[int | None, ...] | None:
  """A TensorShapeProto as a tuple; None for unknown sizes and ranks."""
  if shape.unknown_rank:
    return None
  return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)


def shown(shape: tuple[int | None, ...] | None) -> str:
  """`[?, 224, 224, 3]`."""
  if shape is None:
    return "of unknown rank"
  return "[" + ", ".join("?" if d is None else str(d) for d in shape) + "]"


def dtype_name(number: int) -> str:
  try:
    return tf.dtypes.as_dtype(number).name
  except TypeError:
    return f"type number {number}"


def _tensor_names(info: Any) -> list[str]:
  kind = info.WhichOneof("encoding")
  if kind == "name":
    return [info.name]
  if kind == "coo_sparse":
    sparse = info.coo_sparse
    return [
      sparse.values_tensor_name,
      sparse.indices_tensor_name,
      sparse.dense_shape_tensor_name,
    ]
  names = []
  for component in info.composite_tensor.components:
    if component.WhichOneof("encoding") == "name":
      names.append(component.name)
  return names


@dataclasses.dataclass
class Module:
  """A module's directory and protos."""

  directory: str
  variants: list[Variant]

  def variant(self, tags: frozenset[str]) -> Variant | None:
    return next((v for v in self.variants if v.tags == tags), None)

  @property
  def inference(self) -> Variant | None:
    return self.variant(contract.INFERENCE_TAGS)

  @property
  def train(self) -> Variant | None:
    return self.variant(contract.TRAIN_TAGS)

  @property
  def main(self) -> Variant | None:
    """The inference variant, or what there is instead."""
    return self.inference or next(iter(self.variants), None)


def attached_image_size(variant: Variant) -> tuple[int, int] | None:
  """Height and width of the attached ImageModuleInfo, where both are set."""
  name = "hub_module_attachments"
  if name not in variant.meta_graph.collection_def:
    return None
  values = variant.meta_graph.collection_def[name].bytes_list.value
  for value in values:
    attachment = ModuleAttachment.FromString(value)
    if attachment.key == contract.IMAGE_MODULE_INFO:
      size = ImageModuleInfo.FromString(attachment.value).default_image_size
      if size.height and size.width:
        return size.height, size.width
  return None
