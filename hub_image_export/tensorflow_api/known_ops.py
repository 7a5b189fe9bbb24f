# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow 1.15 knows, and what the running TensorFlow knows.

The data file comes from `tools/dump_tensorflow_ops.py`, which says what it
holds.
"""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterable
from typing import Any

from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import AttrValue, NodeDef

# TensorFlow takes them for stateful, for what variables and bodies may do.
_STATE_ELSEWHERE = frozenset({"ReadVariableOp", "StatefulPartitionedCall"})
_DATA = pathlib.Path(__file__).parent.parent / "data/tensorflow_1_15.json"


@functools.cache
def in_tensorflow_1_15() -> dict[str, dict[str, Any]]:
  """The ops of TensorFlow 1.15 by name."""
  return json.loads(_DATA.read_text(encoding="utf-8"))["ops"]


@functools.cache
def default_values(op: str) -> dict[str, AttrValue]:
  """Attributes of an op that need not be given; nobody may change them."""
  op_def = private.op_def(op)
  if op_def is None:
    return {}
  return {
    attr.name: attr.default_value
    for attr in op_def.attr
    if attr.HasField("default_value")
  }


def is_default(op: str, attr: str, value: AttrValue) -> bool:
  """Whether this is the default value in the running TensorFlow."""
  return default_values(op).get(attr) == value


@functools.cache
def exists_here(op: str) -> bool:
  """Whether the running TensorFlow has an op of this name."""
  return private.op_def(op) is not None


@functools.cache
def first_output(op: str) -> str:
  """The name of the op's first output, which bodies of functions use."""
  return private.op_def(op).output_arg[0].name


@functools.cache
def only_computes(op: str) -> bool:
  """Whether the op draws nothing and changes nothing: no state, no files.

  What the functions do that it calls is left out of account. Unknown ops
  might do anything.
  """
  op_def = private.op_def(op)
  return op_def is not None and (
    not op_def.is_stateful or op in _STATE_ELSEWHERE
  )


def computed_in(nodes: Iterable[NodeDef]) -> set[Any]:
  """The types that nodes compute with, where those are of numbers.

  Ops call it `T`. Casts, and what reads or holds values, have other names for
  theirs, and an identity computes nothing: weights may be stored in another
  type.
  """
  types = {
    node.attr["T"].type
    for node in nodes
    if "T" in node.attr and node.op != "Identity"
  }
  known = (tf.dtypes.as_dtype(number) for number in types if number)
  return {dtype for dtype in known if dtype.is_floating}


@functools.cache
def has_gradient_here(op: str) -> bool:
  """Whether the running TensorFlow can differentiate the op."""
  return private.has_gradient(op)


@functools.cache
def groups_run_here() -> bool:
  """Whether CPUs here compute grouped convolutions, and gradients of them.

  That takes oneDNN, which TensorFlow uses on processors with AVX512-VNNI and
  its like, or where TF_ENABLE_ONEDNN_OPTS=1 asks for it. Without, what a bias
  or a batch norm follows is "not supported", and no gradient is there.
  """
  images, kernel = tf.ones([2, 4, 4, 4]), tf.ones([3, 3, 2, 4])

  @tf.function
  def infer(kernel):
    y = tf.nn.conv2d(images, kernel, 1, "SAME")
    return tf.nn.relu(tf.nn.bias_add(y, tf.ones([4])))

  @tf.function
  def train(kernel):
    with tf.GradientTape() as tape:
      tape.watch(kernel)
      y = infer(kernel)
    return tape.gradient(y, kernel)

  try:
    with tf.device("CPU:0"):
      infer(kernel)
      train(kernel)
  except tf.errors.OpError:
    return False
  return True
