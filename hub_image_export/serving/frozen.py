# SPDX-License-Identifier: Apache-2.0
"""A loaded module with constants for variables: a third faster, or more.

TensorFlow folds weights that cannot change into each other (batch norm into
convolutions), and prepares them once.
"""

from __future__ import annotations

import contextlib
from typing import Any

from absl import logging

from hub_image_export.serving.loaded_module import LoadedModule
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet

# A GraphDef has less than 2 GiB, and is in memory more than once meanwhile.
_MAX_BYTES = 2**30


def frozen(
  module: LoadedModule, session_config: Any, stack: contextlib.ExitStack
) -> LoadedModule:
  """The same, with constants.

  Args:
    module: stays as it is, and may be closed afterwards.
    session_config: of the new session.
    stack: closes the new session.

  Raises:
    ValueError: the graph is too large.
    Exception: TensorFlow cannot do it.
  """
  variables = module.graph.get_collection("variables")
  size = sum((v.shape.num_elements() or 0) * v.dtype.size for v in variables)
  if size > _MAX_BYTES:
    raise ValueError(f"the variables have {size} bytes")
  tables = module.graph.get_collection(
    tf.compat.v1.GraphKeys.TABLE_INITIALIZERS
  )
  kept = [t.op.name for t in module.outputs.values()] + [t.name for t in tables]
  with quiet():
    graph_def = tf.compat.v1.graph_util.convert_variables_to_constants(
      module.session,
      module.graph.as_graph_def(),
      sorted({*kept, module.images.op.name}),
    )
    graph = tf.Graph()
    with graph.as_default():
      tf.import_graph_def(graph_def, name="")
  session = tf.compat.v1.Session(graph=graph, config=session_config)
  stack.callback(session.close)
  session.run([graph.get_operation_by_name(t.name) for t in tables])
  return LoadedModule(
    graph=graph,
    images=graph.get_tensor_by_name(module.images.name),
    outputs={
      key: graph.get_tensor_by_name(tensor.name)
      for key, tensor in module.outputs.items()
    },
    session=session,
  )


def frozen_if_possible(
  loading: contextlib.AbstractContextManager[LoadedModule],
  session_config: Any,
  stack: contextlib.ExitStack,
) -> LoadedModule:
  """The module with constants; with variables where that is impossible."""
  inner = contextlib.ExitStack()
  module = inner.enter_context(loading)
  try:
    module = frozen(module, session_config, stack)
  except Exception as error:  # It is for speed alone.
    logging.debug("The module runs with variables: %s", error)
    stack.push(inner.pop_all())
  inner.close()
  return module
