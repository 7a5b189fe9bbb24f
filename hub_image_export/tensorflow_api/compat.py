"""TensorFlow and TensorFlow Hub with the TF1 API, on any line of TensorFlow.

`tf` and `hub` are to be had from here alone. tensorflow_hub 0.15 is the last
version that has `hub.Module`. It inherits, for a class that nothing here
uses, from `tf.compat.v1.estimator.Exporter`, which TensorFlow 2.16 deleted; a
stand-in for that one class is all that it needs to work on any later version.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.metadata
import sys
import types

_PIP = (
  'pip install "tensorflow>=2.12,<2.22" "tensorflow-hub==0.15.*" '
  '"setuptools<81"'
)
_DISTRIBUTIONS = (
  "tensorflow",
  "tensorflow-cpu",
  "tensorflow-hub",
  "setuptools",
)


def _installed() -> str:
  found = []
  for name in _DISTRIBUTIONS:
    try:
      found.append(f"{name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
      continue
  return ", ".join(found) or "none of them"


def _unusable(reason: object) -> ImportError:
  return ImportError(
    f"hub_image_export cannot start: {reason}. Installed: {_installed()}. "
    "Needed: tensorflow 2.12 to 2.21 and tensorflow-hub 0.15 (the last with "
    f"hub.Module). Install them with:  {_PIP}"
  )


def _import_tensorflow() -> types.ModuleType:
  try:
    import tensorflow
  except ImportError as error:
    raise _unusable(f"TensorFlow cannot be imported ({error})") from error
  version = getattr(tensorflow, "__version__", "none")
  try:
    release = tuple(int(part) for part in version.split(".")[:2])
  except ValueError:
    release = (0, 0)
  if release < (2, 12):
    raise _unusable(f"TensorFlow {version} is too old")
  return tensorflow


def _provide_estimator(tensorflow: types.ModuleType) -> None:
  """Sets a stand-in for the module that TensorFlow 2.16 deleted."""
  # Its import by name would cost a quarter of a second where it is there.
  if hasattr(tensorflow.compat.v1, "estimator"):
    return
  estimator = types.ModuleType("tensorflow.compat.v1.estimator")
  estimator.Exporter = type("Exporter", (), {})
  tensorflow.compat.v1.estimator = estimator
  sys.modules[estimator.__name__] = estimator


def _import_hub(tensorflow: types.ModuleType) -> types.ModuleType:
  _provide_estimator(tensorflow)
  try:
    import tensorflow_hub
  except ImportError as error:
    raise _unusable(f"tensorflow_hub cannot be imported ({error})") from error
  if not hasattr(tensorflow_hub, "create_module_spec"):
    raise _unusable(
      f"tensorflow_hub {tensorflow_hub.__version__} has no hub.Module"
    )
  return tensorflow_hub


tf = _import_tensorflow()
hub = _import_hub(tf)

# TensorFlow and hub have these in no public place. The former have not
# moved since TensorFlow 1.13, and hub 0.15 will not change any more.
native_module = importlib.import_module("tensorflow_hub.native_module")
function_def_to_graph_def = importlib.import_module(
  "tensorflow.python.framework.function_def_to_graph"
).function_def_to_graph_def
get_gradient_function = importlib.import_module(
  "tensorflow.python.framework.ops"
).get_gradient_function


@contextlib.contextmanager
def quiet():
  """Keeps TensorFlow from telling of each old function that hub 0.15 uses."""
  logger = tf.get_logger()
  level = logger.level
  logger.setLevel("ERROR")
  try:
    yield
  finally:
    logger.setLevel(level)


def function_graphs(graph, library) -> list:
  """The graphs of the functions in a graph's library, if they are at hand."""
  found = []
  for name in library.function:
    function = graph._get_function(name.signature.name)  # pylint: disable=protected-access
    body = getattr(function, "graph", None)
    if body is not None:
      found.append(body)
  return found


def copy_functions(graph, graph_def) -> None:
  """Adds the functions of a graph to a GraphDef."""
  graph._copy_functions_to_graph_def(graph_def, graph_def.ByteSize())  # pylint: disable=protected-access


def run_eagerly(function):
  """Runs `function` with eager execution, even from inside a TF1 graph.

  Raises:
    RuntimeError: eager execution is disabled for the whole process.
  """
  if tf.executing_eagerly():
    return function()
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    # Graphs and sessions are defaults of a thread, not of the process.
    if pool.submit(tf.executing_eagerly).result():
      return pool.submit(function).result()
  raise RuntimeError(
    "eager execution is disabled in this process (tf.compat.v1."
    "disable_v2_behavior or disable_eager_execution): expected it enabled, so "
    "that variables have values. Build modules in a process that leaves it on"
  )
