# SPDX-License-Identifier: Apache-2.0
"""The flags of `export_module`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from absl import flags

from hub_image_export.command_line import flag_words, run
from hub_image_export.command_line.checkpoint_flags import CheckpointFlags
from hub_image_export.command_line.publish_flags import PublishFlags

FLAGS = flags.FlagValues()


def _string(name: str, help_text: str, default: str | None = None):
  return flags.DEFINE_string(name, default, help_text, flag_values=FLAGS)


def _integer(name: str, help_text: str):
  return flags.DEFINE_integer(
    name, None, help_text, lower_bound=1, flag_values=FLAGS
  )


def _bool(name: str, default: bool | None, help_text: str):
  return flags.DEFINE_bool(name, default, help_text, flag_values=FLAGS)


def _list(name: str, help_text: str):
  return flags.DEFINE_list(name, None, help_text, flag_values=FLAGS)


class _WordsParser(flags.ListParser):
  """Of a comma-separated list of words, out of a few."""

  def __init__(self, words: Sequence[str]) -> None:
    super().__init__()
    self.enum_values = words

  def parse(self, argument: str | list[str]) -> list[str]:
    words = super().parse(argument)
    if not words or not set(words) <= set(self.enum_values):
      raise ValueError(f"expected some of {', '.join(self.enum_values)}")
    return words


MODEL = _string("model", "What to export; see above. Required.")
EXPORT_PATH = _string(
  "export_path", "The module's directory; it must not exist. Required."
)
TASK = flags.DEFINE_enum(
  "task",
  "feature_vector",
  ["feature_vector", "classification", "all"],
  "What the module serves. With all, the default signature is "
  "image_classification, and --feature_layer gives the features (for Keras "
  "Applications: what include_top=False, pooling='avg' gives).",
  flag_values=FLAGS,
)
HEIGHT = _integer(
  "height", "Expected height of images in pixels. Default: the model's own."
)
WIDTH = _integer("width", "Expected width of images, likewise.")
WEIGHTS = _string(
  "weights",
  "For Keras Applications: imagenet (default; downloaded by Keras), random "
  "(for tests), or a file of Keras weights.",
)
NUM_CLASSES = _integer(
  "num_classes", "Number of classes that there must be. Default: any."
)
LABELS = _string(
  "labels",
  "UTF-8 text file with the names of the classes, one a line; or a JSON file, "
  "a list or an object by index (such as imagenet_class_index.json).",
)
ARCH_NAME = _string(
  "arch_name",
  "Prefix of the endpoints' names. Default: the name of the Keras Application "
  "or model.",
)
ENDPOINTS = _list(
  "endpoints", "Comma-separated names of Keras layers to expose as outputs."
)
OUTPUT = _string(
  "output",
  "Which of several outputs of the model is meant: its name, its position (0), "
  "or a signature of a SavedModel (serving_default/scores). For a meta graph "
  "(model.ckpt.meta): the name of the tensor (logits/BiasAdd:0).",
)
IMAGES = _string(
  "images",
  "For a meta graph: the name of the tensor that takes the images (input:0). "
  "Default: the only one that can.",
)
FEATURE_LAYER = _string(
  "feature_layer", "The Keras layer that yields the feature vector."
)
PREPROCESS = _string(
  "preprocess",
  "What the model wants, given RGB in [0, 1]: none, tf (2x-1), torch, caffe, "
  "0-255, or MEAN/STD with one number or three with commas, in [0, 1]. "
  "Default: what the Keras Application was trained with; else none.",
)
VARIABLE_SIZE = _bool(
  "variable_size", False, "Accept images of any height and width."
)
TRAINING = _bool(
  "training",
  None,
  "Whether there is a variant for training. Default: if it differs.",
)
BN_HPARAMS = _bool(
  "bn_hparams",
  False,
  "Add signatures with the input batch_norm_momentum for fine-tuning.",
)
DROP_COLLECTIONS = _list(
  "drop_collections",
  "Collections of a TF1 function to leave out, though consumers would miss "
  "what is in them (losses).",
)
ALLOW_CUSTOM_GRADIENTS = _bool(
  "allow_custom_gradients",
  False,
  "Accept that custom gradients are replaced by TensorFlow's own.",
)
# What can be written; more of them may be asked for at once.
HUB, SAVED_MODEL = MODULE_FORMATS = ("hub", "saved_model")
JSON = "json"
FORMAT = flags.DEFINE_multi(
  _WordsParser([*MODULE_FORMATS, JSON]),
  flags.ListSerializer(","),
  "format",
  None,
  "Comma-separated. What is written: hub (a TF1 Hub module; default) or "
  "saved_model (a reusable SavedModel, for TensorFlow 2); of both, each in a "
  "folder of that name in --export_path. And json: stdout gets the summary as "
  "JSON (a list of two, for both), and nothing else.",
  flag_values=FLAGS,
)
SPLIT_GROUPS = _bool(
  "split_groups",
  None,
  "For saved_model: whether grouped convolutions are computed group by group, "
  "which TensorFlow 1.15 and CPUs without oneDNN need. Default: where the CPU "
  "here does.",
)
DRY_RUN = _bool(
  "dry_run",
  False,
  "Only tell what the module would be: its outputs, the TensorFlow that it "
  "needs, the model's layers. Nothing is written; --export_path is not needed.",
)
OVERWRITE = _bool(
  "overwrite", False, "Replace a module that exists at --export_path."
)
VERIFY = _bool(
  "verify", True, "Load the module and compare its outputs with the model's."
)
CHECK = _bool(
  "check", True, "Check the module against the contract (see check_module)."
)

run.define_debug(FLAGS)

CHECKPOINT = CheckpointFlags(FLAGS)
PUBLISH = PublishFlags(FLAGS)
write = flag_words.writer(
  FLAGS,
  {
    "fn": "model",
    "batch_norm_momentum": "bn_hparams",
    "checkpoint_path": "checkpoint",
    "path": "export_path",
  },
)


def export_paths() -> dict[str, str]:
  """Where each of the formats that are asked for is written."""
  named = [word for word in MODULE_FORMATS if word in _formats()]
  if len(named) < 2:
    return dict.fromkeys(named or [HUB], EXPORT_PATH.value)
  return {name: os.path.join(EXPORT_PATH.value, name) for name in named}


def as_json() -> bool:
  """Whether the summary is for programs."""
  return JSON in _formats()


def _formats() -> set[str]:
  return set().union(*(FORMAT.value or ()))
