# SPDX-License-Identifier: Apache-2.0
"""Writes what a version of TensorFlow knows: its ops, attributes, gradients.

Run it with the interpreter of that version (Python 3.7 for 1.15):

  python3.7 tools/dump_tensorflow_ops.py data/tensorflow_1_15.json

The file has one line per op, so that two versions can be compared with `diff`:

  "Relu6": {"attrs": {"T": ["bfloat16", "double", ...]}, "gradient": true}

An attribute's value lists the values that the op allows, and is null where it
allows any. "required" names the attributes without a default, where there are
any that TensorFlow does not infer from the inputs. "gradient" stands where a
gradient is registered, which includes "has none" (tf.no_gradient). "cpu" has,
for attributes of which the kernels for CPUs take fewer values than the op, the
values that they take.
"""

import json
import sys

import tensorflow as tf
from tensorflow.core.framework import op_def_pb2, types_pb2
from tensorflow.python.framework import kernels, ops


def _op_defs():
  """All registered ops, on TF 1.15 and on TF 2."""
  try:
    from tensorflow.python.client import pywrap_tf_session as c_api
  except ImportError:
    from tensorflow.python import pywrap_tensorflow as c_api
  serialized = c_api.TF_GetAllOpList()
  if not isinstance(serialized, bytes):
    serialized = c_api.TF_GetBuffer(serialized)
  return op_def_pb2.OpList.FromString(serialized).op


def _type_name(number):
  return types_pb2.DataType.Name(number)[len("DT_") :].lower()


def _cpu_kernels():
  """The kernels for CPUs by op."""
  by_op = {}
  for kernel in kernels.get_all_registered_kernels().kernel:
    if kernel.device_type in ("CPU", "DEFAULT"):
      by_op.setdefault(kernel.op, []).append(kernel)
  return by_op


def _allowed(attr):
  """The values that an attribute may have, or None for any."""
  return _values(attr.allowed_values.list)


def _values(allowed):
  values = [_type_name(number) for number in allowed.type]
  values += [tf.compat.as_str(value) for value in allowed.s]
  return sorted(values) or None


def _inferred(op_def):
  """Names of the attributes that the types of the inputs determine."""
  arguments = list(op_def.input_arg) + list(op_def.output_arg)
  names = [
    (arg.type_attr, arg.number_attr, arg.type_list_attr) for arg in arguments
  ]
  return {name for group in names for name in group if name}


def _narrower(attrs, kernel_defs):
  """The attributes that `kernel_defs` take fewer values of than `attrs`."""
  narrower = {}
  for name, allowed in attrs.items():
    taken = set()
    for kernel in kernel_defs:
      found = [c for c in kernel.constraint if c.name == name]
      taken.update(
        (_values(found[0].allowed_values.list) if found else allowed) or [None]
      )
    if taken and None not in taken and taken != set(allowed or ()):
      narrower[name] = sorted(taken)
  return narrower


def describe(op_def, gradients, cpu_kernels):
  """An op as the data file holds it."""
  attrs = sorted(op_def.attr, key=lambda attr: attr.name)
  line = {"attrs": {attr.name: _allowed(attr) for attr in attrs}}
  required = [
    attr.name
    for attr in attrs
    if not attr.HasField("default_value") and attr.name not in _inferred(op_def)
  ]
  if required:
    line["required"] = required
  if op_def.name in gradients:
    line["gradient"] = True
  narrower = _narrower(line["attrs"], cpu_kernels.get(op_def.name, []))
  if narrower:
    line["cpu"] = narrower
  return line


def main(argv):
  if len(argv) != 2:
    sys.exit("Usage: dump_tensorflow_ops.py OUTPUT.json")
  gradients = set(ops._gradient_registry.list())
  cpu_kernels = _cpu_kernels()
  op_defs = sorted(_op_defs(), key=lambda op_def: op_def.name)
  lines = []
  for op_def in op_defs:
    if not op_def.name.startswith("_"):
      line = describe(op_def, gradients, cpu_kernels)
      lines.append(f'  "{op_def.name}": {json.dumps(line, sort_keys=True)}')
  text = ",\n".join(lines)
  with open(argv[1], "w", encoding="utf-8") as output:
    output.write(f'{{\n"tensorflow": "{tf.__version__}",\n')
    output.write(f'"ops": {{\n{text}\n}}\n}}\n')


if __name__ == "__main__":
  main(sys.argv)
