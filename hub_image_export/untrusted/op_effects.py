# SPDX-License-Identifier: Apache-2.0
"""Whether an op may do more than compute (F5).

`data/known_names.json` has the ops that stay inside a session: computation,
variables, random numbers, tables, queues, control flow. An op that is not in
it may use files, processes, the network or Python.
"""

from __future__ import annotations

import functools
from typing import Any

from hub_image_export.tensorflow_api import private
from hub_image_export.untrusted import known_objects

_PRINT_TARGETS = (
  b"",
  b"stdout",
  b"stderr",
  b"log(info)",
  b"log(warning)",
  b"log(error)",
)


def is_known(op: str) -> bool:
  """Whether this TensorFlow has an op of this name."""
  return private.op_def(op) is not None


def reaches_out(node: Any) -> bool:
  """Whether a node may use files, processes or Python.

  False where this TensorFlow has no such op: it may be a function.
  """
  if node.op not in _inside():
    return is_known(node.op)
  if node.op == "PrintV2":
    return node.attr["output_stream"].s not in _PRINT_TARGETS
  # FixedUnigramCandidateSampler reads its `vocab_file`, where it has one.
  return any("file" in name and node.attr[name].s for name in node.attr)


@functools.cache
def _inside() -> frozenset[str]:
  return frozenset(known_objects.names()["ops"])
