# SPDX-License-Identifier: Apache-2.0
"""What the package uses of TensorFlow and Python that is no public API.

Each says why there is no other way, and since when it is as it is. That it
still is on the installed version, tests/tensorflow_api/private_test.py shows;
it also fails where a private name is used outside of this room.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import FunctionDef, GraphDef
from hub_image_export.tensorflow_api.types import Graph, Tensor


def _framework(name: str) -> Any:
  return importlib.import_module(f"{tf.__name__}.python.framework.{name}")


# --- Ops and their gradients.

# The attribute of a node whose gradient is a Python function, as
# tf.custom_gradient and tf.Graph.gradient_override_map write it: part of the
# format of graphs since TensorFlow 1.0.
CUSTOM_GRADIENT = "_gradient_op_type"


def op_def(op: str) -> Any:
  """The OpDef of an op by its name; None where TensorFlow has no such op.

  Public functions list ops of graphs, not those that exist. Here since
  TensorFlow 1.15 (in C++ behind it since 2.2).
  """
  return _framework("op_def_registry").get(op)


def has_gradient(op: str) -> bool:
  """Whether gradients can be asked for beyond the op: they may be none.

  `tf.RegisterGradient` only adds to this registry. Here since TensorFlow 1.0.
  """
  return op in _framework("ops")._gradient_registry.list()


def gradient_function(op: Any) -> Callable[..., Any]:
  """The Python function that gives an operation's gradient.

  `tf.gradients` calls it, and says nothing of which one it called. Here since
  TensorFlow 1.0.

  Raises:
    LookupError: there is none.
  """
  return _framework("ops").get_gradient_function(op)


def symbol(name: str) -> Any:
  """What TensorFlow made public by a name, without decorators; or None.

  Keras 2 finds the functions of its op layers in this table, and what it finds
  is not always what the public modules have. Here since TensorFlow 1.13; also
  noticed by tests/untrusted/known_objects_test.py.
  """
  module = importlib.import_module(f"{tf.__name__}.python.util.tf_export")
  return module.get_symbol_from_name(name)


# --- Functions in graphs.


def function_def_to_graph_def(
  function: FunctionDef,
) -> tuple[GraphDef, dict[str, str]]:
  """A function's body as a graph, and its tensors' names there.

  The inputs of nodes are spelt differently in functions ("x:y:0") and graphs
  ("x:1"); the way from one to the other needs all ops' definitions. Here since
  TensorFlow 1.10.
  """
  module = _framework("function_def_to_graph")
  return module.function_def_to_graph_def(function)


def function_graphs(graph: Graph, library: Any) -> list[Graph]:
  """The graphs of the functions in a graph's library, if they are at hand.

  Only a live graph has the Python functions of custom gradients; a GraphDef
  has their names. Here since TensorFlow 1.12.
  """
  found = []
  for function in library.function:
    held = graph._get_function(function.signature.name)
    body = getattr(held, "graph", None)
    if body is not None:
      found.append(body)
  return found


def copy_functions(graph: Graph, graph_def: GraphDef) -> None:
  """Adds the functions of a graph to a GraphDef.

  `as_graph_def` does so too, but copies all nodes of what may be a large graph
  along. Here since TensorFlow 1.0.
  """
  graph._copy_functions_to_graph_def(graph_def, graph_def.ByteSize())


# --- The graphs that functions are traced into (FuncGraph). The class is
# private, its attributes are those of `tf.function(…).…graph` that TensorFlow
# Hub and many others use. Here since TensorFlow 1.13.


def is_traced(graph: Graph) -> bool:
  """Whether a function is traced into the graph: then it can capture."""
  return hasattr(graph, "capture")


def capture(graph: Graph, outside: Tensor) -> Tensor:
  """The placeholder that stands for an eager tensor, or another's, in it."""
  return graph.capture(outside)


def captures(graph: Graph) -> list[tuple[Tensor, Tensor]]:
  """Pairs of what was captured and the placeholder for it."""
  return list(graph.captures)


def arguments(graph: Graph) -> list[Tensor]:
  """The placeholders of what the function was called with, without captures."""
  captured = {placeholder.name for _, placeholder in captures(graph)}
  return [tensor for tensor in graph.inputs if tensor.name not in captured]


def variables(graph: Graph) -> list[Any]:
  """The variables that the function read or made."""
  return list(graph.variables)


@contextlib.contextmanager
def variables_tell_their_ops() -> Iterator[None]:
  """Lets `variable.op` have a name, a type and a graph where it is eager.

  In a trace the variables of TF1 functions are. TF1 code knows variables by
  `variable.op.name`; that is a property of all resource variables, of which
  `tf.Variable` has none of its own. Since TensorFlow 1.11.
  """
  module = importlib.import_module(
    "tensorflow.python.ops.resource_variable_ops"
  )
  cls, original = module.BaseResourceVariable, module.BaseResourceVariable.op

  def op(variable: Any) -> Any:
    if not hasattr(variable.handle, "numpy"):
      return original.fget(variable)
    name = variable.name.partition(":")[0]
    graph = tf.compat.v1.get_default_graph()
    return types.SimpleNamespace(
      name=name, type="VarHandleOp", device="", graph=graph
    )

  cls.op = property(op)
  try:
    yield
  finally:
    cls.op = original


def hide_wrap_function(graph: Graph) -> None:
  """Keeps Keras 2 from taking a graph of `tf.compat.v1.wrap_function` for TF1.

  It knows such graphs by their name (keras/src/engine/base_layer_utils.py,
  is_in_tf_function), and then swaps the bases of layer classes for the whole
  process. So from TensorFlow 1.14 to Keras 2.15 and tf_keras. Also noticed by
  tests/conformance/author_unharmed_test.py.
  """
  graph.name = "image_function"


# --- Variables of distribution strategies.


def replicas(variable: Any) -> tuple[Any, ...]:
  """What a strategy keeps on its devices for one variable, all of it.

  Empty where there is no strategy. A graph captures single ones, and only
  their handles lead to the whole; the attribute is there since TensorFlow
  2.2. Noticed by tests/tracing/training_steps_test.py (replicas).
  """
  handle = getattr(variable, "_handle", None)
  container = _container(handle)
  owner = variable if container is None else container
  return tuple(getattr(owner, "_values", None) or ())


def _container(handle: Tensor) -> Any:
  # A tensor takes long to say that it has no such attribute.
  attributes = getattr(handle, "__dict__", {})
  return attributes.get("_distributed_container", lambda: None)()


def is_further_replica(handle: Tensor) -> bool:
  """Whether it is of a variable that a strategy keeps beside the first."""
  container = _container(handle)
  return container is not None and container._values[0].handle is not handle


def first_replica(variable: Any) -> Any:
  """The variable, or the first of those that a strategy keeps for it."""
  return next(iter(replicas(variable)), variable)


# --- SavedModels.


def saved_inputs(loaded: Any) -> list[Any]:
  """What `__call__` of a loaded SavedModel takes first, in each of its traces.

  A restored `tf.function` cannot be traced anew, and lists what it has in an
  attribute; publicly it only says what an input did not match.
  """
  traces = getattr(loaded.__call__, "concrete_functions", ())
  taken = (trace.structured_input_signature[0][:1] for trace in traces)
  return [spec for specs in taken for spec in specs]


# --- What TF1's code does to its variables.


@contextlib.contextmanager
def checkpoint_initializers_go_to(around: Callable[..., Any]) -> Iterator[None]:
  """Calls `around(original, variable, file, key, part)` for values of files.

  `tf.compat.v1.train.init_from_checkpoint` and `warm_start` give variables
  other initializers, which eager variables never run, and fail on parts of
  variables. All do it by this function, since TensorFlow 1.4.
  """
  module: Any = importlib.import_module(
    f"{tf.__name__}.python.training.checkpoint_utils"
  )
  original = module._set_checkpoint_initializer

  @functools.wraps(original)
  def replacement(
    variable: Any, file: str, key: str, part: str, *args: Any, **kwargs: Any
  ) -> None:
    run = functools.partial(
      original, variable, file, key, part, *args, **kwargs
    )
    around(run, variable, file, key, part)

  module._set_checkpoint_initializer = replacement
  try:
    yield
  finally:
    module._set_checkpoint_initializer = original


def part_of(variable: Any) -> Any:
  """Of which variable it is a part, and which: None unless partitioned.

  A `SaveSliceInfo`, with `full_name`, `full_shape`, `var_offset`, `var_shape`:
  what `tf.compat.v1.train.Saver` writes by. Here since TensorFlow 1.0.
  """
  return getattr(variable, "_save_slice_info", None)


def set_part(variable: Any, info: Any) -> None:
  """Lets `part_of` a variable be what a `SaveSliceInfoDef` says."""
  part = tf.Variable.SaveSliceInfo(save_slice_info_def=info)
  variable._set_save_slice_info(part)


@contextlib.contextmanager
def meta_graph_imports_go_to(around: Callable[..., Any]) -> Iterator[None]:
  """Calls `around(original, meta_graph, options)` where graphs are imported.

  `tf.compat.v1.train.import_meta_graph` gets what it returns, a saver and the
  elements that were asked for, by this function, since TensorFlow 1.13. The
  options are `import_scope`, `input_map` and so on.
  """
  module: Any = importlib.import_module(f"{tf.__name__}.python.training.saver")
  original = module._import_meta_graph_with_return_elements
  parameters = inspect.signature(original)

  @functools.wraps(original)
  def replacement(meta_graph_or_file: Any, *args: Any, **kwargs: Any) -> Any:
    run = functools.partial(original, meta_graph_or_file, *args, **kwargs)
    given = parameters.bind(meta_graph_or_file, *args, **kwargs).arguments
    options = {**given, **given.get("kwargs", {})}
    del options["meta_graph_or_file"]
    return around(run, meta_graph_or_file, options)

  module._import_meta_graph_with_return_elements = replacement
  try:
    yield
  finally:
    module._import_meta_graph_with_return_elements = original


# --- Files.

# The key under which an object-based checkpoint (tf.train.Checkpoint) has the
# graph of its objects: part of the format since TensorFlow 1.12.
OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

# --- Python.


def reserve_stack(function: Any, slots: int) -> None:
  """Makes each call of a Python function take a frame of so many slots.

  CPython looks at `co_stacksize` to find out how much memory a frame takes; no
  function of its own says so. Here since Python 3.8 (`code.replace`); another
  interpreter that has no such attribute ignores it or fails here. Noticed by
  tests/tracing/interpreter_test.py.
  """
  function.__code__ = function.__code__.replace(co_stacksize=slots)
