# SPDX-License-Identifier: Apache-2.0
"""The graph of objects that `tf.saved_model.load` makes of a SavedModel.

The root is the default task's callable (T1). Where there are several tasks,
each is a sub-object of its own name, too (T12).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub_image_export import contract
from hub_image_export.export.saved_model import functions, sessions
from hub_image_export.export.saved_model.callables import (
  Callables,
  Part,
  Task,
)
from hub_image_export.export.saved_model.functions import Signature
from hub_image_export.export.saved_model.structures import (
  Structure,
  encode,
  function_spec,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import (
  FunctionDef,
  MetaGraphDef,
  TrackableObjectGraph,
)
from hub_image_export.weights.variable import Variable

_ATTRIBUTE = "VARIABLE_VALUE"
_OBJECT, _LIST, _SIGNATURES = (
  "_generic_user_object",
  "trackable_list_wrapper",
  "signature_map",
)


class Objects:
  """The objects of one SavedModel.

  Attributes:
    meta: the MetaGraphDef that holds them, and all functions.
    keys: what variables are called in the checkpoint, by their names.
  """

  def __init__(self, callables: Callables) -> None:
    self.meta = MetaGraphDef()
    self.keys = {
      variable.name: f"{variable.name}/.ATTRIBUTES/{_ATTRIBUTE}"
      for variable in callables.variables
    }
    self._callables = callables
    self._nodes = self.meta.object_graph_def.nodes
    self._library: dict[str, FunctionDef] = {}
    self._traced: dict[tuple[str, bool], str] = {}
    root = self._object(_OBJECT)
    sessions.add_variables(self.meta, callables.variables)
    self._variables = {v.name: self._variable(v) for v in callables.variables}
    self._penalties = [
      self._penalty(i, part) for i, part in enumerate(callables.penalties)
    ]
    self._add_tasks(root)
    library = self.meta.graph_def.library.function
    library.extend(self._library[name] for name in sorted(self._library))

  def checkpoint_graph(self) -> bytes:
    """The graph of objects, as their checkpoint has it: without functions.

    TensorFlow 1.15 would tell of each that nothing restores it.
    """
    graph = TrackableObjectGraph()
    names = {node: name for name, node in self._variables.items()}
    kinds = ("user_object", "variable")
    kept = [
      i for i, n in enumerate(self._nodes) if n.WhichOneof("kind") in kinds
    ]
    numbers = {node: number for number, node in enumerate(kept)}
    for i in kept:
      copy = graph.nodes.add()
      for child in self._nodes[i].children:
        if child.node_id in numbers:
          copy.children.add(
            node_id=numbers[child.node_id], local_name=child.local_name
          )
      if i in names:
        copy.attributes.add(
          name=_ATTRIBUTE,
          full_name=names[i],
          checkpoint_key=self.keys[names[i]],
        )
    return graph.SerializeToString(deterministic=True)

  def _add_tasks(self, root: int) -> None:
    tasks = self._callables.tasks
    signatures: dict[str, int] = {}
    for task in tasks:
      attributes = self._attributes(task)
      if task is tasks[0]:
        self._adopt(root, attributes)
      if len(tasks) > 1:
        self._adopt(root, {task.name: self._object(_OBJECT, attributes)})
      signatures.update(self._signatures(task, is_default=task is tasks[0]))
    self._adopt(root, {"signatures": self._object(_SIGNATURES, signatures)})

  def _attributes(self, task: Task) -> dict[str, int]:
    """T1, T8 to T10, and what Keras 3's TFSMLayer looks for."""
    traces = [self._trace(task, *key) for key in task.traces]
    call, train = (
      self._function(traces, *self._parameters(task, training=training))
      for training in (False, True)
    )
    variables = {v: self._variables[v.name] for v in task.variables}
    return {
      "__call__": call,
      "variables": self._list(variables.values()),
      "trainable_variables": self._list(
        node for v, node in variables.items() if v.trainable
      ),
      "regularization_losses": self._list(
        self._penalties[i] for i in task.penalties
      ),
      contract.SERVE: call,
      contract.TRAIN: train,
    }

  def _parameters(
    self, task: Task, *, training: bool
  ) -> tuple[list[str], tuple[Any, ...]]:
    """Names of the parameters (T6, T11), and defaults of all but the first."""
    optional: dict[str, Any] = {contract.TRAINING: training}
    if (False, True) in task.traces:
      optional[contract.RETURN_ENDPOINTS] = False
    if self._callables.interface.bn_hparams:
      optional[contract.BATCH_NORM_MOMENTUM] = (
        contract.DEFAULT_BATCH_NORM_MOMENTUM
      )
    return [contract.IMAGES, *optional], tuple(optional.values())

  def _trace(self, task: Task, training: bool, endpoints: bool) -> str:
    part = task.traces[training, endpoints]
    signature = self._signature(task, part)
    names, _ = self._parameters(task, training=training)
    given = {
      **signature.inputs,
      contract.TRAINING: training,
      contract.RETURN_ENDPOINTS: endpoints,
    }
    label = [task.name] + ["training"] * training + ["endpoints"] * endpoints
    outputs = signature.outputs
    name = self._concrete(
      functions.of_part("_".join(label), part, signature),
      signature,
      arguments=tuple(given[name] for name in names),
      result=outputs if endpoints else outputs[contract.DEFAULT_OUTPUT],
      library=part.graph_def.library.function,
    )
    if not training:
      self._traced[task.name, endpoints] = name
    return name

  def _signature(self, task: Task, part: Part) -> Signature:
    interface = self._callables.interface
    images = tf.TensorSpec(interface.image_shape, tf.float32, contract.IMAGES)
    inputs = {contract.IMAGES: images}
    if interface.bn_hparams:
      name = contract.BATCH_NORM_MOMENTUM
      inputs[name] = tf.TensorSpec([], tf.float32, name)
    specs = dict(self._callables.specs)
    specs[contract.DEFAULT_OUTPUT] = specs[task.name]
    outputs = {key: specs[key] for key in part.outputs}
    return Signature(inputs, self._captured(part), outputs)

  def _signatures(self, task: Task, is_default: bool) -> dict[str, int]:
    """What is served by a task's names (T14): signatures infer only."""
    with_endpoints = (False, True) in task.traces
    names = {with_endpoints: [task.name]}
    if is_default:
      names[with_endpoints].insert(0, contract.DEFAULT_SIGNATURE)
      # Converters take the first, and all outputs of it: of this one there is
      # what the plain call gives.
      names.setdefault(False, []).insert(0, contract.SERVING_SIGNATURE)
    found = {}
    for endpoints, served in sorted(names.items()):
      node = self._served(task, endpoints, served)
      found.update(dict.fromkeys(served, node))
    return found

  def _served(self, task: Task, endpoints: bool, names: list[str]) -> int:
    """A function of the images alone that gives a dict."""
    part = task.traces[False, endpoints]
    inner = self._signature(task, part)
    images = {contract.IMAGES: inner.inputs[contract.IMAGES]}
    outer = Signature(images, inner.variables, inner.outputs)
    function = functions.of_call(
      f"signature_{names[0]}",
      self._library[self._traced[task.name, endpoints]],
      outer,
      {contract.BATCH_NORM_MOMENTUM: contract.DEFAULT_BATCH_NORM_MOMENTUM},
    )
    sessions.add_signature(
      self.meta, names, function, outer, self._callables.variables
    )
    name = self._concrete(
      function, outer, arguments=(), keywords=images, result=outer.outputs
    )
    node = self._nodes.add()
    bare = node.bare_concrete_function
    bare.concrete_function_name = name
    bare.argument_keywords.append(contract.IMAGES)
    bare.allowed_positional_arguments = 1  # hub.KerasLayer calls it so.
    return len(self._nodes) - 1

  def _penalty(self, index: int, part: Part) -> int:
    scalar = tf.TensorSpec([], tf.float32)
    signature = Signature(
      {}, self._captured(part), {contract.DEFAULT_OUTPUT: scalar}
    )
    name = self._concrete(
      functions.of_part(f"penalty_{index}", part, signature),
      signature,
      arguments=(),
      result=scalar,
      library=part.graph_def.library.function,
    )
    return self._function([name], [], ())

  def _captured(self, part: Part) -> tuple[Variable, ...]:
    names = set(part.placeholders.values())
    return tuple(v for v in self._callables.variables if v.name in names)

  def _concrete(
    self,
    function: FunctionDef,
    signature: Signature,
    *,
    arguments: tuple[Structure, ...],
    keywords: Structure = None,
    result: Structure,
    library: Iterable[FunctionDef] = (),
  ) -> str:
    """Adds a function, and those that it calls; returns its name."""
    name = function.signature.name
    for each in (function, *library):
      self._library[each.signature.name] = each
    for each in library:
      # Passes have changed the arguments since TensorFlow noted their shapes.
      each.attr.pop("_input_shapes", None)
    concrete = self.meta.object_graph_def.concrete_functions[name]
    concrete.bound_inputs.extend(
      self._variables[variable.name] for variable in signature.variables
    )
    concrete.canonicalized_input_signature.CopyFrom(
      encode((arguments, keywords or {}))
    )
    concrete.output_signature.CopyFrom(encode(result))
    return name

  def _function(
    self, traces: list[str], parameters: list[str], defaults: tuple[Any, ...]
  ) -> int:
    node = self._nodes.add()
    node.function.concrete_functions.extend(traces)
    node.function.function_spec.CopyFrom(function_spec(parameters, defaults))
    return len(self._nodes) - 1

  def _variable(self, variable: Variable) -> int:
    node = self._nodes.add()
    node.variable.name = variable.name
    node.variable.dtype = variable.dtype.as_datatype_enum
    node.variable.shape.CopyFrom(variable.shape.as_proto())
    node.variable.trainable = variable.trainable
    return len(self._nodes) - 1

  def _list(self, items: Iterable[int]) -> int:
    named = {str(i): item for i, item in enumerate(items)}
    return self._object(_LIST, named)

  def _object(self, kind: str, children: dict[str, int] | None = None) -> int:
    node = self._nodes.add()
    node.user_object.identifier = kind
    node.user_object.version.producer = 1
    node.user_object.version.min_consumer = 1
    index = len(self._nodes) - 1
    self._adopt(index, children or {})
    return index

  def _adopt(self, parent: int, children: dict[str, int]) -> None:
    for name, child in children.items():
      self._nodes[parent].children.add(node_id=child, local_name=name)
