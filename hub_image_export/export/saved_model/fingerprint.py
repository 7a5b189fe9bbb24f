# SPDX-License-Identifier: Apache-2.0
"""`fingerprint.pb`: TensorFlow reads it when it loads, and tells who has none.

What TensorFlow writes has a random part; here all of it comes from contents,
by the hash function of TensorFlow's own.
"""

from __future__ import annotations

import os

from hub_image_export import contract
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.protos import FingerprintDef, SavedModel
from hub_image_export.weights import checkpoint_writer


def write(directory: str, content: bytes, saved: SavedModel) -> None:
  """Writes the fingerprint of a SavedModel whose checkpoint is there.

  Args:
    directory: that of the SavedModel.
    content: of `saved_model.pb`.
    saved: the same, parsed.
  """
  meta = saved.meta_graphs[0]
  signatures = sorted(
    (name, definition.SerializeToString(deterministic=True))
    for name, definition in meta.signature_def.items()
  )
  index = f"{checkpoint_writer.variables_prefix(directory)}.index"
  with open(index, "rb") as file:
    checkpoint = file.read()
  fingerprint = FingerprintDef(
    saved_model_checksum=_hash(content),
    graph_def_program_hash=_hash(_bytes(meta.graph_def)),
    signature_def_hash=_hash(b"".join(d for _, d in signatures)),
    saved_object_graph_hash=_hash(_bytes(meta.object_graph_def)),
    checkpoint_hash=_hash(checkpoint),
  )
  fingerprint.version.producer = 1
  with open(os.path.join(directory, contract.FINGERPRINT_FILE), "wb") as file:
    file.write(fingerprint.SerializeToString(deterministic=True))


def _bytes(proto) -> bytes:
  return proto.SerializeToString(deterministic=True)


def _hash(content: bytes) -> int:
  digest = tf.fingerprint(tf.constant([content]), method="farmhash64")
  return int.from_bytes(digest.numpy().tobytes(), "little")
