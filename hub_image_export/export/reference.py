"""The source as it was traced, with the values that the module has.

A module may have other values than the live model, which must not change: its
traced graph is imported once more, over variables of its own.
"""

from __future__ import annotations

from typing import Any

from hub_image_export import contract
from hub_image_export.export.interface import Interface
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.image_function import ImageFunction

# Pixels by which another size is larger than the expected one (C15).
_LARGER = 32, 64


def another_size(interface: Interface) -> tuple[int, int]:
  """Height and width of images that a module of variable sizes must take."""
  return interface.height + _LARGER[0], interface.width + _LARGER[1]


def run(source: Any, images: Any, interface: Interface) -> Any:
  """What a reference gives for images, in signatures without momentum."""
  hparams = [
    tf.constant(contract.DEFAULT_BATCH_NORM_MOMENTUM)
  ] * interface.bn_hparams
  return source(tf.constant(images), *hparams)


def under_values(function: ImageFunction) -> Any:
  """What `function.reference` is, under the values of `function.variables`.

  Returns:
    A function on eager images, as `reference` is; the very same where all
    values are the live ones.
  """
  by_name = {v.name: v for v in function.variables if v.stored is not None}
  if not by_name:
    return function.reference
  live = function.reference.graph
  handles, owned = {}, []
  for outside, placeholder in private.captures(live):
    variable = function.inference.variables.get(placeholder.op.name)
    if variable is not None and variable.name in by_name:
      value = by_name[variable.name].read()
      owned.append(tf.Variable(value, trainable=False))
      outside = owned[-1].handle
    handles[placeholder.name] = outside
  arguments = private.arguments(live)
  outputs = function.reference.structured_outputs
  names = [tensor.name for tensor in tf.nest.flatten(outputs)]
  graph_def = live.as_graph_def()

  def call(*values: Any, _owners_of_the_handles=tuple(owned)) -> Any:
    graph = tf.compat.v1.get_default_graph()
    inputs = {k: private.capture(graph, h) for k, h in handles.items()}
    inputs.update({t.name: value for t, value in zip(arguments, values)})
    found = tf.import_graph_def(
      graph_def, inputs, return_elements=names, name=""
    )
    return tf.nest.pack_sequence_as(outputs, found)

  specs = [tf.TensorSpec(t.shape, t.dtype) for t in arguments]
  wrapped = tf.compat.v1.wrap_function(call, specs)
  wrapped.owners_of_the_handles = owned
  return wrapped
