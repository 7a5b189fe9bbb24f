# SPDX-License-Identifier: Apache-2.0
"""Private names stand in one room, and the installed libraries have them."""

from __future__ import annotations

import ast
import pathlib
import re

import numpy as np
import pytest

import hub_image_export
from hub_image_export.tensorflow_api import (
  keras_packages,
  private,
  private_hub,
)
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.protos import GraphDef
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support.keras_sources import keras, layers

_PACKAGE = pathlib.Path(hub_image_export.__file__).parent
_ROOM = "tensorflow_api"
# Where things stand that no public API names.
_PLACES = re.compile(
  r"(tensorflow\.(python|core)|keras\.src|tensorflow_hub\.\w+)(\W|$)"
)
# Attributes of TensorFlow's FuncGraph and of Python's code objects.
_OF_GRAPHS = frozenset({"capture", "captures", "building_function"})
_OF_CODE = re.compile("co_[a-z]+")
# What Python documents in spite of its name, and what the one file about Java
# needs of PySpark.
_DOCUMENTED = frozenset({"__annotations__", "_exit"})
_OF_PYSPARK = {"spark/java.py": ["_jsc", "_jvm"]}


def _files() -> list[pathlib.Path]:
  return [
    path
    for path in sorted(_PACKAGE.rglob("*.py"))
    if _ROOM not in path.relative_to(_PACKAGE).parts
  ]


def _private_names(source: str) -> list[str]:
  """The private names that code uses, but for those that it defines."""
  tree = ast.parse(source)
  own = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
  own |= {
    node.target.id  # A field of a dataclass.
    for node in ast.walk(tree)
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
  }
  docstrings = {
    id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)
  }
  found = []
  for node in ast.walk(tree):
    if isinstance(node, ast.Attribute):
      found += _of_attribute(node)
    elif isinstance(node, ast.keyword):
      found += _OF_CODE.findall(node.arg or "")
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
      modules = [alias.name for alias in node.names]
      modules.append(getattr(node, "module", None) or "")
      found += [module for module in modules if _PLACES.match(module)]
    elif isinstance(node, ast.Constant) and id(node) not in docstrings:
      if isinstance(node.value, str) and _PLACES.match(node.value):
        found.append(node.value)
    elif isinstance(node, ast.Call) and _is_name(node.func, "getattr"):
      found += _of_text(node.args[1])
  return [name for name in found if name not in own | _DOCUMENTED]


def _of_attribute(node: ast.Attribute) -> list[str]:
  if any(_is_name(node.value, name) for name in ("self", "cls", "private")):
    return []
  private_name = re.match("_(?!_)", node.attr)
  replaced = isinstance(node.ctx, ast.Store) and node.attr.endswith("__")
  if (
    private_name
    or replaced
    or node.attr in _OF_GRAPHS
    or _OF_CODE.fullmatch(node.attr)
  ):
    return [node.attr]
  return []


def _of_text(node: ast.expr) -> list[str]:
  name = node.value if isinstance(node, ast.Constant) else ""
  return [name] if re.match("_(?!_)", name) else []


def _is_name(node: ast.expr, name: str) -> bool:
  return isinstance(node, ast.Name) and node.id == name


def test_private_names_stand_in_their_room_alone():
  found = {
    str(path.relative_to(_PACKAGE)): names
    for path in _files()
    if (names := _private_names(path.read_text("utf-8")))
  }
  assert found == _OF_PYSPARK


@pytest.mark.parametrize(
  "line",
  [
    "from tensorflow.python.framework import ops",
    "import keras.src.backend",
    "importlib.import_module('tensorflow.core.framework.graph_pb2')",
    "import tensorflow_hub.native_module",
    "spec._saved_model_handler",
    "getattr(spec, '_checkpoint_variables_path', None)",
    "graph.captures",
    "graph.capture(tensor)",
    "function.__code__.replace(co_stacksize=1)",
    "keras.layers.Layer.__call__ = observed",
  ],
)
def test_such_names_are_found(line):
  assert _private_names(line)


def test_own_private_names_are_no_others():
  source = "def _of(x): ...\nself._spec = cls._make(_of(spec._of.__class__))"
  assert not _private_names(source)


def test_ops_and_gradients():
  assert private.op_def("Conv2D").attr
  assert private.op_def("NoSuchOp") is None
  assert private.has_gradient("Conv2D")
  assert not private.has_gradient("NoSuchOp")
  with tf.Graph().as_default():
    op = tf.nn.relu(tf.zeros([2])).op
    assert callable(private.gradient_function(op))
    underived = tf.raw_ops.Empty(shape=[2], dtype=tf.float32).op
    assert not private.has_gradient(underived.type)
    with pytest.raises(LookupError):
      private.gradient_function(underived)


def test_a_custom_gradient_is_an_attribute_of_a_node():
  @tf.custom_gradient
  def triple(x):
    return 3.0 * x, lambda upstream: upstream

  with tf.Graph().as_default() as graph:
    triple(tf.zeros([2]))
  nodes = graph.as_graph_def().node
  assert any(private.CUSTOM_GRADIENT in node.attr for node in nodes)


def test_functions_in_graphs():
  inner = tf.function(lambda x: x * 2.0)
  outer = tf.function(lambda x: inner(x) + 1.0)
  graph = outer.get_concrete_function(tf.TensorSpec([2], tf.float32)).graph
  library = graph.as_graph_def().library
  bodies = private.function_graphs(graph, library)
  assert [op.type for op in bodies[0].get_operations()].count("Mul") == 1
  copied = GraphDef()
  private.copy_functions(graph, copied)
  assert len(copied.library.function) == len(library.function) == 1
  body, names = private.function_def_to_graph_def(library.function[0])
  assert "Mul" in [node.op for node in body.node]
  assert set(names.values()) >= {f"{node.name}:0" for node in body.node[:1]}


def test_graphs_of_traced_functions():
  variable, constant = tf.Variable(2.0), tf.constant(3.0)
  traced = tf.function(lambda x: x * variable + constant)
  graph = traced.get_concrete_function(tf.TensorSpec([], tf.float32)).graph
  assert private.is_traced(graph)
  assert not private.is_traced(tf.Graph())
  assert private.variables(graph) == [variable]
  outside = [outside for outside, _ in private.captures(graph)]
  assert outside[0] is variable.handle
  assert outside[1] is constant
  (argument,) = private.arguments(graph)
  assert argument.shape == []
  assert private.capture(graph, constant) is private.captures(graph)[1][1]


def test_keras_2_takes_no_hidden_graph_for_tf1():
  """The name that it looks for is the one that `wrap_function` gives."""
  names = []

  def function(x):
    graph = tf.compat.v1.get_default_graph()
    names.append(graph.name)
    private.hide_wrap_function(graph)
    names.append(graph.name)
    return x

  tf.compat.v1.wrap_function(function, [tf.TensorSpec([], tf.float32)])
  assert names[0].startswith("wrapped_function")
  assert not names[1].startswith("wrapped_function")


def test_what_a_loaded_saved_model_takes(tmp_path):
  saved = tf.Module()
  saved.__call__ = tf.function(lambda x, training=False: x)
  for spec in (tf.TensorSpec([None, 8]), tf.TensorSpec([2], tf.uint8)):
    saved.__call__.get_concrete_function(spec, training=True)
  tf.saved_model.save(saved, str(tmp_path))
  found = private.saved_inputs(tf.saved_model.load(str(tmp_path)))
  assert {(s.shape.as_list()[0], s.dtype) for s in found} == {
    (None, tf.float32),
    (2, tf.uint8),
  }


def test_values_from_files_and_meta_graphs_go_through_functions(tmp_path):
  v1 = tf.compat.v1
  prefix, seen = str(tmp_path / "c"), []
  with tf.Graph().as_default(), v1.Session() as session:
    v1.get_variable("v", initializer=[1.0])
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, prefix)

  def load(original, variable, file, key, part):
    seen.append((variable.op.name, file, key, part))
    original()

  def graph(original, meta_graph, options):
    seen.append((meta_graph, options["import_scope"], options["input_map"]))
    return original()

  with tf.Graph().as_default():
    v1.get_variable("v", [1])
    with private.checkpoint_initializers_go_to(load):
      v1.train.init_from_checkpoint(prefix, {"v": "v"})
    with private.meta_graph_imports_go_to(graph):
      path = prefix + ".meta"
      v1.train.import_meta_graph(path, import_scope="s", input_map={})
  assert seen == [("v", prefix, "v", ""), (prefix + ".meta", "s", {})]


def test_parts_of_variables():
  v1 = tf.compat.v1
  with tf.Graph().as_default():
    partitioner = v1.fixed_size_partitioner(2)
    first, second = v1.get_variable("v", [4], partitioner=partitioner)
    assert private.part_of(second).full_name == "v"
    assert private.part_of(second).var_offset == [2]
    proto = second.to_proto().save_slice_info_def
    private.set_part(first, proto)
    assert private.part_of(first).var_offset == [2]
  assert private.part_of(tf.Variable(1.0)) is None


def test_the_graph_of_objects_in_a_checkpoint(tmp_path):
  prefix = tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "c"))
  keys = dict(tf.train.list_variables(prefix))
  assert private.OBJECT_GRAPH in keys


def test_a_frame_takes_as_many_slots_as_asked_for():
  def function():
    return 1

  private.reserve_stack(function, 1234)
  assert function.__code__.co_stacksize == 1234
  assert function() == 1


def test_hub_specs_and_modules(tmp_path):
  def module_fn():
    x = tf.compat.v1.placeholder(tf.float32, [None, 2])
    w = tf.compat.v1.get_variable("w", initializer=[1.0, 2.0])
    hub.add_signature("named", x, x * w)

  with quiet(), tf.Graph().as_default():
    spec = hub.create_module_spec(module_fn)
    assert private_hub.checkpoint_of(spec) is None
    assert private_hub.handler_of(spec).get_tags() == [frozenset()]
    module = hub.Module(spec)
    with tf.compat.v1.Session() as session:
      session.run(tf.compat.v1.global_variables_initializer())
      module.export(str(tmp_path / "module"), session)
    loaded = hub.load_module_spec(str(tmp_path / "module"))
    prefix = private_hub.checkpoint_of(loaded)
    assert tf.train.load_variable(prefix, "w").tolist() == [1.0, 2.0]
    meta_graph = private_hub.meta_graph(loaded, frozenset())
    assert "named" in meta_graph.signature_def
    for literally in (False, True):
      before = _num_restores()
      instance, begin = private_hub.instantiated(loaded, literally=literally)
      # By the saver of hub, and by one of the import.
      assert _num_restores() - before == (2 if literally else 1)
      weight = instance.variable_map["w"]
      with tf.compat.v1.Session() as session:
        begin(session)
        assert session.run(weight).tolist() == [1.0, 2.0]
    # As the checker has it in the names that errors tell.
    output = module(tf.zeros([1, 2]), signature="named")
    assert output.name.startswith("module_apply_named/")


def _num_restores():
  operations = tf.compat.v1.get_default_graph().get_operations()
  return sum(operation.type == "RestoreV2" for operation in operations)


def test_hub_asks_a_spec_for_its_checkpoint_and_export(tmp_path):
  def module_fn():
    x = tf.compat.v1.placeholder(tf.float32, [None, 2])
    w = tf.compat.v1.get_variable("w", initializer=[1.0, 2.0])
    hub.add_signature(inputs=x, outputs=x * w)

  prefix = str(tmp_path / "checkpoint")
  tf.raw_ops.SaveV2(
    prefix=prefix,
    tensor_names=["w"],
    shape_and_slices=[""],
    tensors=[tf.constant([3.0, 4.0])],
  )
  exported = []

  class Spec(private_hub.GraphsSpec):
    def _checkpoint_for_module(self):
      return prefix

    def _export_of_module(self, path, variables_saver):
      exported.append(path)

  with quiet(), tf.Graph().as_default():
    spec = Spec(private_hub.handler_of(hub.create_module_spec(module_fn)))
    module = hub.Module(spec)
    outputs = module(tf.ones([1, 2]))
    with tf.compat.v1.Session() as session:
      session.run(tf.compat.v1.global_variables_initializer())
      np.testing.assert_array_equal(session.run(outputs), [[3.0, 4.0]])
      module.export("elsewhere", session)
  assert exported == ["elsewhere"]


def test_keras_layers():
  model = keras.Sequential([layers.Input([2]), layers.Dense(3, name="d")])
  images = keras.Input([2])
  outer = keras.Model(images, model(images))
  assert keras_packages.is_layer(outer)
  assert keras_packages.is_model(outer)
  assert not keras_packages.is_model(layers.Dense(1))
  norm = layers.BatchNormalization()
  norm.build([None, 2])
  assert keras_packages.is_batch_norm(norm)
  assert keras_packages.runs_on_tensorflow(outer)
  names = [layer.name for layer in keras_packages.layers_within(outer)]
  assert "d" in names
  assert keras_packages.version()[0] in "23"


def test_calls_of_keras_layers_go_through_a_function():
  layer = layers.Dense(1)
  before = layers.Layer.__call__
  seen = []

  def around(original, called, *args, **kwargs):
    seen.append(called)
    return original(called, *args, **kwargs)

  with keras_packages.calls_go_through(around):
    layer(tf.zeros([1, 2]))
  assert layers.Layer.__call__ is before
  layer(tf.zeros([1, 2]))
  assert seen == [layer]


def test_the_family_of_a_keras_application():
  builder = tf.keras.applications.EfficientNetV2B0
  assert keras_packages.application_family(builder) == "efficientnet_v2"


def test_places_in_keras_files(tmp_path):
  import json
  import zipfile

  import h5py

  model = keras.Sequential([layers.Input([2]), layers.Dense(3)])
  model.save(tmp_path / "m.keras")
  with zipfile.ZipFile(tmp_path / "m.keras") as archive:
    assert "config" in json.loads(archive.read(keras_packages.CONFIG_MEMBER))
    metadata = json.loads(archive.read(keras_packages.METADATA_MEMBER))
    assert metadata[keras_packages.VERSION_KEY] == keras_packages.version()
    archive.extract(keras_packages.WEIGHTS_MEMBER, tmp_path)
  model.save(tmp_path / "m.h5")
  with h5py.File(tmp_path / "m.h5") as file:
    assert json.loads(file.attrs[keras_packages.CONFIG_ATTRIBUTE])
    assert file.attrs[keras_packages.VERSION_KEY] == keras_packages.version()
    assert keras_packages.WEIGHTS_GROUPS[0].rstrip("/") in file


def test_eager_variables_tell_their_ops():
  variable = tf.Variable(1.0, name="v")
  with private.variables_tell_their_ops():
    assert (variable.op.name, variable.op.type) == ("v", "VarHandleOp")
    with tf.Graph().as_default() as graph:
      assert variable.op.graph is graph
      in_graph = tf.Variable(1.0, name="w")
      assert in_graph.op is in_graph.handle.op
  with pytest.raises(AttributeError):
    variable.op  # noqa: B018


def test_spectral_norms_are_converted():
  model = keras.Sequential(
    [layers.Input([2]), layers.SpectralNormalization(layers.Dense(3))]
  )

  def fn(x):
    with keras_packages.spectral_norms_converted():
      return model(x, training=True)

  spec = tf.TensorSpec([None, 2], tf.float32)
  tf.compat.v1.wrap_function(fn, [spec])
