# SPDX-License-Identifier: Apache-2.0
"""Rewrites a graph into one that TensorFlow 1.15 loads, runs, differentiates.

None changes a number, beyond the rounding of float32. What they cannot cure
is for `oldest_tensorflow` to tell.
"""

from __future__ import annotations

from absl import logging

from hub_image_export.graph.portability.attributes import (
  drop_colocations,
  drop_unknown_attributes,
)
from hub_image_export.graph.portability.batch_norm import (
  average_outside_batch_norm,
)
from hub_image_export.graph.portability.convolutions import (
  depthwise_convolutions,
  pad_before,
  split_grouped_convolutions,
)
from hub_image_export.graph.portability.dilations import undilate_convolutions
from hub_image_export.graph.portability.einsum import multiply_out_einsum
from hub_image_export.graph.portability.layout import channels_last
from hub_image_export.graph.portability.newer_ops import (
  older_batch_mat_mul,
  older_matrix_diag,
  older_stateless_random,
)
from hub_image_export.tensorflow_api.protos import GraphDef

# In the order in which they are made. Each changes the graph that it is given
# and returns the number of ops that it touched.
REWRITES = (
  drop_colocations,  # First: the ops that it names may be replaced below.
  average_outside_batch_norm,  # Before channels_last, which copies what it is.
  channels_last,  # Before all that expect NHWC.
  depthwise_convolutions,
  split_grouped_convolutions,  # Makes convolutions; slower than what it splits.
  pad_before,  # Of depthwise ones, too; what it leaves has no explicit pads.
  undilate_convolutions,  # Expects no groups.
  multiply_out_einsum,  # Makes matrix products.
  older_batch_mat_mul,
  older_matrix_diag,
  older_stateless_random,
  drop_unknown_attributes,  # Last: new nodes have them, too.
)


def make_portable(
  graph_def: GraphDef, *, split_groups: bool = True
) -> GraphDef:
  """A copy of the graph after all REWRITES.

  Args:
    graph_def: With the static shapes of the outputs (`add_shapes=True`), and
      without calls of functions: what stands in the library keeps its ops.
    split_groups: False leaves grouped convolutions whole, for later versions.

  Returns:
    A graph in which every output has the name that it had, except outputs
    other than the first of rewritten batch norms.
  """
  portable = GraphDef()
  portable.CopyFrom(graph_def)
  counts = {
    rewrite.__name__: rewrite(portable)
    for rewrite in REWRITES
    if split_groups or rewrite is not split_grouped_convolutions
  }
  done = [f"{name} ({count} ops)" for name, count in counts.items() if count]
  if done:
    logging.info("Rewritten for TensorFlow 1.15: %s", ", ".join(done))
  return portable
