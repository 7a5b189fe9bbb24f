# SPDX-License-Identifier: Apache-2.0
"""Savers that are written as nodes save and restore as TensorFlow's own."""

import numpy as np

from hub_image_export.export.saver_nodes import add_saver
from hub_image_export.export.variable_nodes import variable_nodes
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import MetaGraphDef
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.weights.variable import Variable

_VALUES = {
  "dense/kernel": np.array([[1.0, 2.0]], np.float32),
  "save/steps": np.array(7, np.int64),
}


def _meta_graph(scope, **options):
  variables = [
    Variable(name, tf.Variable(value), trainable=False)
    for name, value in _VALUES.items()
  ]
  meta_graph = MetaGraphDef()
  for variable in variables:
    meta_graph.graph_def.node.extend(variable_nodes(variable))
  add_saver(meta_graph, scope, variables, **options)
  return meta_graph


def _restored(meta_graph, prefix, then=lambda saver, session: None):
  """The values that the graph's saver reads, by the variables' names."""
  with quiet(), tf.Graph().as_default() as graph:
    saver = tf.compat.v1.train.import_meta_graph(meta_graph)
    with tf.compat.v1.Session(graph=graph) as session:
      saver.restore(session, prefix)
      then(saver, session)
      return {
        name: session.run(f"{name}/Read/ReadVariableOp:0") for name in _VALUES
      }


def test_saves_and_restores_under_other_keys(tmp_path):
  keys = {name: f"{name}/.ATTRIBUTES/VARIABLE_VALUE" for name in _VALUES}
  prefix = str(tmp_path / "first")
  tf.raw_ops.SaveV2(
    prefix=prefix,
    tensor_names=list(keys.values()),
    shape_and_slices=[""] * len(keys),
    tensors=list(map(tf.constant, _VALUES.values())),
  )
  meta_graph = _meta_graph("saver", keys=keys, others={"objects": b"graph"})
  second = str(tmp_path / "second")

  def save(saver, session):
    saver.save(session, second, write_meta_graph=False)

  for path in (prefix, second):
    found = _restored(meta_graph, path, save)
    for name, value in _VALUES.items():
      np.testing.assert_array_equal(found[name], value)
  reader = tf.train.load_checkpoint(second)
  assert reader.get_tensor("objects") == b"graph"
  assert reader.get_variable_to_shape_map().keys() == {
    *keys.values(),
    "objects",
  }


def test_keys_are_the_names_by_default(tmp_path):
  prefix = str(tmp_path / "checkpoint")
  tf.raw_ops.SaveV2(
    prefix=prefix,
    tensor_names=list(_VALUES),
    shape_and_slices=[""] * len(_VALUES),
    tensors=list(map(tf.constant, _VALUES.values())),
  )
  found = _restored(_meta_graph("saver"), prefix)
  for name, value in _VALUES.items():
    np.testing.assert_array_equal(found[name], value)
