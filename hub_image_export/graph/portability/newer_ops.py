# SPDX-License-Identifier: Apache-2.0
"""Newer versions of ops, where TensorFlow 1.15 has an older one as good."""

from __future__ import annotations

import numpy as np

from hub_image_export.graph.portability.substitution import (
  Substitution,
  attrs_of,
  rewrite_of,
)
from hub_image_export.tensorflow_api.protos import NodeDef

_KEY_COUNTER = "StatelessRandomGetKeyCounter"
_PHILOX = (1, 3)  # By its name, and as the automatic choice on CPUs and GPUs.
_STATELESS = {
  "StatelessRandomUniformV2": "StatelessRandomUniform",
  "StatelessRandomNormalV2": "StatelessRandomNormal",
  "StatelessTruncatedNormalV2": "StatelessTruncatedNormal",
  "StatelessRandomUniformIntV2": "StatelessRandomUniformInt",
}


@rewrite_of("BatchMatMulV3")
def older_batch_mat_mul(node: NodeDef, new: Substitution) -> None:
  """Uses `BatchMatMulV2` for V3, which only adds mixed types."""
  types = [node.attr[name].type for name in ("Ta", "Tb", "Tout")]
  if len(set(types)) == 1:
    attrs = attrs_of(node, "adj_x", "adj_y")
    new.finish("BatchMatMulV2", node.input[:2], T=node.attr["Ta"], **attrs)


@rewrite_of("MatrixDiagV3")
def older_matrix_diag(node: NodeDef, new: Substitution) -> None:
  """Uses `MatrixDiag` for V3 on the main diagonal (`tf.eye` does that)."""
  # The diagonal, the numbers of rows and columns, the padding.
  constants = [new.constant_input(i) for i in range(1, 5)]
  values = [c.tolist() for c in constants if c is not None]
  if [np.ravel(value).tolist() for value in values] == [[0], [-1], [-1], [0]]:
    new.finish("MatrixDiag", node.input[:1], **attrs_of(node, "T"))


@rewrite_of(*_STATELESS)
def older_stateless_random(node: NodeDef, new: Substitution) -> None:
  """Uses the stateless random ops that take a seed, not a key and counter.

  They draw the same numbers. (Those whose seed is a variable are gone before:
  see `random_numbers.draw_fresh`.)
  """
  key, counter = new.input_node(1), new.input_node(2)
  algorithm = new.constant_input(3)
  if key.op != _KEY_COUNTER or key.name != counter.name:
    return
  if algorithm is None or int(algorithm) not in _PHILOX:
    return
  seed = key.input[0]
  limits = [name for name in node.input[4:] if not name.startswith("^")]
  attrs = {
    "T": node.attr["Tshape"],
    "Tseed": key.attr["Tseed"],
    **attrs_of(node, "dtype"),
  }
  new.finish(_STATELESS[node.op], [node.input[0], seed, *limits], **attrs)
