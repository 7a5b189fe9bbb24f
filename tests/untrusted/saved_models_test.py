# SPDX-License-Identifier: Apache-2.0
"""A SavedModel that would touch the machine is not even loaded (F5)."""

from __future__ import annotations

import os
import pathlib

import pytest

import hub_image_export as hie
from hub_image_export import sources
from hub_image_export.sources import hub_module_specs
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models
from tests.support import saved_sources
from tests.untrusted import saved_cases, watched

v1 = saved_cases.v1


def _save_op(target, name=None):
  return v1.raw_ops.SaveV2(
    prefix=target,
    tensor_names=["a"],
    shape_and_slices=[""],
    tensors=[1.0],
    name=name,
  )


def _restore_op(target, name=None):
  return v1.raw_ops.RestoreV2(
    prefix=target,
    tensor_names=["a"],
    shape_and_slices=[""],
    dtypes=[tf.float32],
    name=name,
  )


def _merge_op(target, name=None):
  return v1.raw_ops.MergeV2Checkpoints(
    checkpoint_prefixes=[target],
    destination_prefix=target + "2",
    name=name,
  )


def _table_op(target):
  table = v1.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)
  return v1.raw_ops.InitializeTableFromTextFileV2(
    table_handle=table, filename=target, key_index=-2, value_index=-1
  )


def _called(op):
  def work(target):
    def call():
      with tf.control_dependencies([op(target)]):
        return tf.constant(1.0)

    return [tf.function(call)()]

  return work


# What a TF2 model does before it answers, by the op that is named.
_WORK = [
  ("WriteFile", lambda t: [tf.io.write_file(t, "x")]),
  ("WriteFile", _called(lambda t: tf.io.write_file(t, "x"))),
  ("ReadFile", lambda t: [tf.io.read_file("/etc/hostname")]),
  ("MatchingFiles", lambda t: [tf.io.matching_files("/*")]),
  ("EagerPyFunc", lambda t: [tf.py_function(lambda: 1, [], tf.int32)]),
  ("SaveV2", lambda t: [_save_op(t)]),
  ("SaveV2", _called(_save_op)),
  ("RestoreV2", lambda t: _restore_op(t)),
  ("MergeV2Checkpoints", lambda t: [_merge_op(t)]),
  ("InitializeTableFromTextFileV2", lambda t: [_table_op(t)]),
  ("PrintV2", lambda t: [tf.print("x", output_stream=f"file://{t}")]),
]  # fmt: skip


def _edit(change):
  """A TF1 model with an op `evil` that `change` puts into the way."""

  def build(path, target):
    saved_cases.v1_with(path, lambda: _save_op(target, "evil"))
    with saved_cases.edited(path) as meta:
      change(meta)

  return build


def _restore_waits(meta):
  name = meta.saver_def.restore_op_name
  restore = next(n for n in meta.graph_def.node if n.name == name)
  restore.input.append("^evil")


def _restore_is(meta):
  meta.saver_def.restore_op_name = "evil"


def _initializer_is(meta):
  meta.collection_def["saved_model_main_op"].node_list.value.append("evil")


def _legacy_initializer_is(meta):
  meta.collection_def["legacy_init_op"].node_list.value.append("evil")


def _tables_are(meta):
  meta.collection_def["table_initializer"].node_list.value.append("evil")


def _signature_initializes(meta):
  signature = meta.signature_def["__saved_model_init_op"]
  signature.outputs["__saved_model_init_op"].name = "evil"


def _variable_waits(meta):
  name = "scale/Initializer/initial_value"
  next(n for n in meta.graph_def.node if n.name == name).input.append("^evil")


def _from_another_file(path, target):
  """The restore op reads a file of its own choice besides."""
  saved_cases.v1_with(path, lambda: _restore_op(target, "evil"))
  with saved_cases.edited(path) as meta:
    _restore_waits(meta)


def _renamed_feed(path, target):
  """TensorFlow feeds a node, but it is not what the restore op reads."""
  saved_cases.v1_with(path, lambda: tf.constant(target, name="other"))
  with saved_cases.edited(path) as meta:
    for node in meta.graph_def.node:
      if node.op == "RestoreV2":
        node.input[0] = "other"


def _merging(path, target):
  saved_cases.v1_with(path, lambda: _merge_op(target, "evil"))
  with saved_cases.edited(path) as meta:
    _restore_waits(meta)


def _function_in_restore(path, target):
  """The op stands in a function that the restore op calls."""

  def work():
    with tf.control_dependencies(_called(_save_op)(target)):
      return tf.no_op("evil")

  saved_cases.v1_with(path, work)
  with saved_cases.edited(path) as meta:
    _restore_waits(meta)


def _asset_elsewhere(path, target):
  saved_cases.with_table(path)
  with saved_cases.edited(path) as meta:
    meta.asset_file_def[0].filename = "../../" + os.path.basename(target)


def _constant_table(path, target):
  """The table of a TF1 model is read from a file that is no asset."""
  saved_cases.v1_with(path, lambda: _table_op(target), main_op=True)


def _gradient(path, target):
  """Only the gradient of a function writes."""
  saved_cases.v2(path, _nothing_in_function)
  with saved_cases.edited(path) as meta:
    library = meta.graph_def.library
    new = library.function.add()
    new.signature.name = "evil"
    node = new.node_def.add(name="a", op="SaveV2")
    node.attr["dtypes"].list.type.append(1)
    library.gradient.add(
      function_name=library.function[0].signature.name, gradient_func="evil"
    )


def _nothing_in_function():
  return [tf.function(lambda: tf.constant(1.0))()]


def _unknown(path, target):
  saved_cases.v1_plain(path)
  with saved_cases.edited(path) as meta:
    meta.graph_def.node.add(name="evil", op="NoSuchOpOfAnyTensorFlow")


def _huge_constant(path, target):
  saved_cases.v1_plain(path)
  with saved_cases.edited(path) as meta:
    node = meta.graph_def.node.add(name="evil", op="Const")
    node.attr["dtype"].type = 1
    tensor = node.attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.append(1.0)
    for _ in range(2):
      tensor.tensor_shape.dim.add(size=2**18)


_FILES = [
  (_edit(_restore_waits), "SaveV2"),
  (_edit(_restore_is), "SaveV2"),
  (_edit(_initializer_is), "SaveV2"),
  (_edit(_legacy_initializer_is), "SaveV2"),
  (_edit(_tables_are), "SaveV2"),
  (_edit(_signature_initializes), "SaveV2"),
  (_edit(_variable_waits), "SaveV2"),
  (_from_another_file, "RestoreV2"),
  (_renamed_feed, "RestoreV2"),
  (_merging, "MergeV2Checkpoints"),
  (_function_in_restore, "SaveV2"),
  (_asset_elsewhere, "asset"),
  (_constant_table, "InitializeTableFromTextFileV2"),
  (_gradient, "SaveV2"),
  (_unknown, "NoSuchOp"),
  (_huge_constant, "constants of"),
]


def _refused(path, outside, word):
  with (
    watched.nothing_happens(os.path.dirname(path), outside) as happened,
    pytest.raises(hie.SourceError, match=f"{word}.*not even loaded"),
  ):
    hie.make_feature_vector_module(path, 8, 8)
  assert not happened


@pytest.fixture
def outside(tmp_path):
  """A folder that nothing may change, and a file in it."""
  folder = tmp_path / "outside"
  folder.mkdir()
  (folder / "victim").write_text("precious")
  return str(folder)


@pytest.mark.parametrize(("op", "work"), _WORK)
def test_ops_on_files_are_refused(op, work, tmp_path, outside):
  target = os.path.join(outside, "stolen")
  path = str(tmp_path / "inside" / "saved")
  saved_cases.v2(path, lambda: work(target))
  _refused(path, outside, op)


@pytest.mark.parametrize(("build", "word"), _FILES)
def test_whatever_runs_while_it_is_loaded_is_refused(
  build, word, tmp_path, outside
):
  path = str(tmp_path / "inside" / "saved")
  os.makedirs(os.path.dirname(path))
  build(path, os.path.join(outside, "victim"))
  # What the session ran that made the model.
  (pathlib.Path(outside) / "victim").write_text("precious")
  _refused(path, outside, word)


def test_tensorflow_runs_what_its_saver_names(tmp_path, outside):
  """Why it is refused: TensorFlow's own loader writes the file."""
  target = os.path.join(outside, "stolen")
  path = str(tmp_path / "saved")
  _edit(_restore_waits)(path, target)
  assert not os.path.exists(target + ".index")
  tf.saved_model.load(path)
  assert os.path.exists(target + ".index")


def test_text_is_read_as_tensorflow_reads_it(tmp_path, outside):
  from google.protobuf import text_format

  path = str(tmp_path / "saved")
  saved_cases.v2(path, lambda: [tf.io.write_file(outside + "/new", "x")])
  proto = saved_models.parse(path)
  os.remove(os.path.join(path, "saved_model.pb"))
  text = text_format.MessageToString(proto)
  (tmp_path / "saved" / "saved_model.pbtxt").write_text(text)
  _refused(path, outside, "WriteFile")


@pytest.mark.parametrize(
  "build",
  [saved_cases.v2, saved_cases.v1_plain, saved_cases.with_table],
)
def test_ordinary_ones_are_loaded(build, tmp_path):
  path = str(tmp_path / "saved")
  build(path)
  sources.as_source(path, 8, 8)


@pytest.mark.slow
def test_those_of_keras_are_let_be(tmp_path):
  saved_sources.saved_module(str(tmp_path))
  saved_models.refuse_reaching_out(str(tmp_path / "saved_module"))
  model = tf.keras.applications.MobileNetV2(
    weights=None, input_shape=(32, 32, 3)
  )
  model.export(str(tmp_path / "exported"))
  saved_models.refuse_reaching_out(str(tmp_path / "exported"))


def test_modules_are_read_by_the_same_reader(tmp_path):
  """A TF1 Hub module as a source."""
  path = str(tmp_path / "module")
  spec = hie.make_feature_vector_module(
    lambda images: tf.reduce_mean(images, [1, 2]), 8, 8
  )
  spec.export(path)
  hub_module_specs.load("module", path)
  with saved_cases.edited(path) as meta:
    name = meta.graph_def.node[0].name
    meta.graph_def.node.add(name="evil", op="WriteFile", input=[name, name])
  with pytest.raises(hie.SourceError, match="WriteFile"):
    hub_module_specs.load("module", path)


def test_functions_that_look_at_files_are_refused_as_sources():
  """Whoever made them: a module with such ops is none."""

  def network(images):
    count = tf.size(tf.io.matching_files("/*"))
    return tf.reduce_mean(images, [1, 2]) + 0.0 * tf.cast(count, tf.float32)

  with pytest.raises(ValueError, match="MatchingFiles may use files"):
    hie.make_feature_vector_module(network, 8, 8)
