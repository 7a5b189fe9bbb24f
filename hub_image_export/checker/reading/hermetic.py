# SPDX-License-Identifier: Apache-2.0
"""What an op may do: an allow-list of ops (F5).

An op is allowed if TensorFlow knows it, it is stateless and nothing in its
name says that it reaches out; or if it has state and is of a kind that stays
inside a session: variables, random numbers, tables, control flow. Everything
else is refused before anything runs.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from hub_image_export.tensorflow_api import private

_REACHING_OUT = re.compile(
  r"File|Py(thon|Func)|^Save|Restore|Reader|Dataset|Iterator|Socket|Debug"
  r"|Remote|Rpc|Session|TPU|Tpu|Checkpoint|Bigtable|Sql|Lmdb|LMDB|Summary"
  r"Writer|^Copy(Host)?$|Recv|^_?Send|HostSend|Collective|Nccl|Abort|Mlir"
  r"|ImmutableConst|(De|En)code(Proto|Compressed.*V2)|GenerateVocab"
  r"|LoadAndRemap|Library|Plugin|^Xla|Dtensor|DTensor|Custom"
)
_STATE_INSIDE = re.compile(
  r"Variable|VarHandle|VarIsInitialized|^Assign|^(Resource)?(Sparse)?Apply"
  r"|^Resource(Gather|Scatter|StridedSlice|CountUpTo)|^Scatter"
  r"|Random|Multinomial|TruncatedNormal|^Stateful|^Rng|Cudnn|^Dropout"
  r"|Table|^(Stateful)?PartitionedCall$|^(If|While|Case|For)$|^Assert$"
  r"|^Print(V2)?$|^(Tensor)?Array|^Tensor(Array|List)|^Stack|Sampler$"
  r"|NonMaxSuppression|^Placeholder|DestroyResourceOp|^IsVariable|^Empty$"
  r"|^FakeQuant|^Sdca|DrawBoundingBox|^SymbolicGradient$|^Bernoulli"
  r"|^DisableCopyOnRead$"
)
_PRINT_TARGETS = (
  b"stdout",
  b"stderr",
  b"log(info)",
  b"log(warning)",
  b"log(error)",
)


def is_known(op: str) -> bool:
  return private.op_def(op) is not None


def reaches_out(node: Any) -> bool:
  """Whether a node may use files, processes or Python; False if unknown."""
  if private.op_def(node.op) is None:
    return False
  if node.op == "PrintV2":
    return node.attr["output_stream"].s not in (b"", *_PRINT_TARGETS)
  if _op_reaches_out(node.op):
    return True
  # FixedUnigramCandidateSampler reads its `vocab_file`, where it has one.
  return any("file" in name and node.attr[name].s for name in node.attr)


@functools.cache
def _op_reaches_out(op: str) -> bool:
  """Whether an op that exists may do so, whatever its attributes."""
  if _REACHING_OUT.search(op):
    return True
  stateful = private.op_def(op).is_stateful
  return stateful and not _STATE_INSIDE.search(op)
