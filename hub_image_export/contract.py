# SPDX-License-Identifier: Apache-2.0
"""The names and rules of "Common Signatures for Images", as data.

This is the only place that spells the names of the contract. The numbers
(`C7`, `F4`, `H1`) are those of `docs/contract.md`.
"""

from __future__ import annotations

# Signatures (C1, C2, C6, C9, H1).
DEFAULT_SIGNATURE = "default"
IMAGE_FEATURE_VECTOR = "image_feature_vector"
IMAGE_CLASSIFICATION = "image_classification"
TASKS = (IMAGE_FEATURE_VECTOR, IMAGE_CLASSIFICATION)
BN_HPARAMS_SUFFIX = "_with_bn_hparams"

# Inputs and outputs of a signature (C3, C6, C13, H1).
IMAGES = "images"
BATCH_NORM_MOMENTUM = "batch_norm_momentum"
DEFAULT_OUTPUT = "default"

# The image input (C12, C14, C17): [batch_size, height, width, 3] in [0, 1].
NUM_CHANNELS = 3
PIXEL_MIN, PIXEL_MAX = 0.0, 1.0

# H1: the decay where a consumer gives none.
DEFAULT_BATCH_NORM_MOMENTUM = 0.99

# Graph variants (F2).
INFERENCE_TAGS: frozenset[str] = frozenset()
TRAIN_TAGS = frozenset({"train"})

# Files of a module (F1), relative to its directory.
MODULE_DEF_FILE = "tfhub_module.pb"
SAVED_MODEL_FILE = "saved_model.pb"
FINGERPRINT_FILE = "fingerprint.pb"  # TF2 format alone.
VARIABLES_DIR = "variables"
VARIABLES_PREFIX = "variables/variables"
ASSETS_DIR = "assets"
EXTRA_ASSETS_DIR = "assets.extra"

# Collections that the format knows (hub 0.15, native_module.py); those that a
# module lives by may not be dropped.
UPDATE_OPS = "update_ops"
REGULARIZATION_LOSSES = "regularization_losses"
VARIABLES = "variables"
TRAINABLE_VARIABLES = "trainable_variables"
MODEL_VARIABLES = "model_variables"
SUPPORTED_COLLECTIONS = frozenset(
  {
    VARIABLES,
    TRAINABLE_VARIABLES,
    MODEL_VARIABLES,
    UPDATE_OPS,
    REGULARIZATION_LOSSES,
    "table_initializer",
    "asset_filepaths",
    "cond_context",
    "while_context",
    "hub_module_attachments",
  }
)
ESSENTIAL_COLLECTIONS = frozenset(
  {VARIABLES, TRAINABLE_VARIABLES, UPDATE_OPS, REGULARIZATION_LOSSES}
)

# The TF2 format (T1, T6, T8 to T14): attributes of its objects, parameters of
# its calls, signatures. Keras 3's TFSMLayer calls `serve` and `train`.
TRAINING = "training"
RETURN_ENDPOINTS = "return_endpoints"
SERVING_SIGNATURE = "serving_default"
SERVE, TRAIN = "serve", "train"
SERVING_TAGS = frozenset({"serve"})

# Messages attached to a module: sizes (C16) and the names of the classes (C8).
IMAGE_MODULE_INFO = "image_module_info"
CLASS_LABELS = "class_labels"


def bn_hparams_signature(task: str) -> str:
  """The name of the signature of `task` that takes hyperparameters (H1)."""
  return task + BN_HPARAMS_SUFFIX


def prefixed(endpoint: str, arch_name: str | None) -> str:
  """`endpoint` with the architecture's name in front, once (C10)."""
  if not arch_name or endpoint.startswith(arch_name + "/"):
    return endpoint
  return f"{arch_name}/{endpoint}"
