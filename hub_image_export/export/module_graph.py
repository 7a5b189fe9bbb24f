# SPDX-License-Identifier: Apache-2.0
"""A variant in TF1 Hub format: what `module_fn` builds in the current graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub_image_export import contract
from hub_image_export.export.interface import Interface
from hub_image_export.export.variable_nodes import (
  VariableNodes,
  VariableTensors,
  free_scope,
)
from hub_image_export.graph.graph_defs import canonical, ordering_nodes
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tracing.variant import Variant
from hub_image_export.weights.variable import Variable


def make_module_fn(
  interface: Interface, variables: tuple[Variable, ...]
) -> Callable[[Variant], None]:
  """Returns the function that `hub.create_module_spec` calls per variant."""

  nodes = VariableNodes(variables)

  def module_fn(variant: Variant) -> None:
    tensors = nodes.add()
    inputs = _add_inputs(interface)
    scope = free_scope("network", variables)
    used = {name: tensors[v.name] for name, v in variant.variables.items()}
    given = {
      **inputs,
      **{name: variable.handle for name, variable in used.items()},
      **_values_read(variant.graph_def, used),
    }
    _add_network(variant.graph_def, given, scope)
    graph = tf.compat.v1.get_default_graph()

    def tensor(name: str) -> Any:
      return graph.get_tensor_by_name(f"{scope}/{name}")

    for name in variant.penalties:
      tf.compat.v1.add_to_collection(
        contract.REGULARIZATION_LOSSES, tensor(name)
      )
    for name in variant.updates:
      tf.compat.v1.add_to_collection(
        contract.UPDATE_OPS, graph.get_operation_by_name(f"{scope}/{name}")
      )
    endpoints = {k: tensor(name) for k, name in variant.endpoints.items()}
    for task, name in variant.tasks.items():
      outputs = {contract.DEFAULT_OUTPUT: tensor(name), **endpoints}
      _add_signatures(task, inputs, outputs, interface)
    interface.attach()

  return module_fn


def _add_inputs(interface: Interface) -> dict[str, Any]:
  inputs = {
    contract.IMAGES: tf.compat.v1.placeholder(
      tf.float32, interface.image_shape, name=contract.IMAGES
    )
  }
  if interface.bn_hparams:
    inputs[contract.BATCH_NORM_MOMENTUM] = (
      tf.compat.v1.placeholder_with_default(
        contract.DEFAULT_BATCH_NORM_MOMENTUM,
        [],
        name=contract.BATCH_NORM_MOMENTUM,
      )
    )
  return inputs


def _values_read(
  graph_def: GraphDef, variables: dict[str, VariableTensors]
) -> dict[str, Any]:
  """The values of variables by the nodes that read them, in no given order.

  Reads are a third of a network's nodes, and the variables bring their own.
  """
  ordering = ordering_nodes(graph_def)
  return {
    node.name: variables[canonical(node.input[0])].value
    for node in graph_def.node
    if node.op == "ReadVariableOp"
    and len(node.input) == 1
    and canonical(node.input[0]) in variables
    and node.name not in ordering
  }


def _add_network(
  graph_def: GraphDef, given: dict[str, Any], scope: str
) -> None:
  """Imports the network, with tensors that are given in the place of nodes."""
  network = GraphDef(versions=graph_def.versions, library=graph_def.library)
  network.node.extend(n for n in graph_def.node if n.name not in given)
  read = {name.partition(":")[0] for n in network.node for name in n.input}
  tf.import_graph_def(
    network,
    {f"{name}:0": t for name, t in given.items() if name in read},
    name=scope,
  )


def _add_signatures(
  task: str,
  inputs: dict[str, Any],
  outputs: dict[str, Any],
  interface: Interface,
) -> None:
  images = {contract.IMAGES: inputs[contract.IMAGES]}
  hub.add_signature(task, images, outputs)
  if task == interface.default_task:
    hub.add_signature(contract.DEFAULT_SIGNATURE, images, outputs)
  if interface.bn_hparams:
    hub.add_signature(contract.bn_hparams_signature(task), inputs, outputs)
