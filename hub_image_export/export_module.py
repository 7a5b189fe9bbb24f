"""Exports an image model as a TF1 Hub module ("Common Signatures for Images").

  export_module --model=MobileNetV2 --export_path=/modules/mobilenet/1
  export_module --model=classifier.keras --task=all --feature_layer=avg_pool \\
      --preprocess=tf --labels=labels.txt --export_path=/modules/mine/1
  export_module --model=my_package.nets:resnet --height=224 --width=224 \\
      --export_path=/modules/resnet/1
  export_module --model=MobileNetV2 --export_path=/modules/mobilenet/1 \\
      --archive=mobilenet_1.tar.gz --page=1.md --handle=my-lab/mobilenet/1 \\
      --asset_path=https://example.com/mobilenet_1.tar.gz --license=apache-2.0

  export_module --model=nets/slim.py:resnet --height=224 --width=224 \\
      --checkpoint=training/ --ema --export_path=/modules/resnet/2

--model is one of
  a Keras Applications name    MobileNetV2 (its preprocessing is known)
  a saved Keras model          model.keras, model.h5
  a SavedModel                 path/to/directory
  a TF1 Hub module             path/to/directory (it is wrapped again)
  Python code, which is run    path/to/file.py:name, package.module:name

The module takes RGB images in [0, 1]. It is loaded again and compared with
the model before it is put into place; the summary ends with a snippet to use
it. Exit code: 0 the module is there, and was verified unless --noverify was
given; 1 it is not, and nothing was changed.
"""

from __future__ import annotations

import logging as standard_logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags, logging

from hub_image_export import command_line
from hub_image_export.checkpoint_flags import CheckpointFlags
from hub_image_export.publishing.publish_flags import PublishFlags

_FLAGS = flags.FlagValues()


def _string(name: str, help_text: str, default: str | None = None):
  return flags.DEFINE_string(name, default, help_text, flag_values=_FLAGS)


def _integer(name: str, help_text: str):
  return flags.DEFINE_integer(
    name, None, help_text, lower_bound=1, flag_values=_FLAGS
  )


def _bool(name: str, default: bool | None, help_text: str):
  return flags.DEFINE_bool(name, default, help_text, flag_values=_FLAGS)


def _list(name: str, help_text: str):
  return flags.DEFINE_list(name, None, help_text, flag_values=_FLAGS)


_MODEL = _string("model", "What to export; see above. Required.")
_EXPORT_PATH = _string(
  "export_path", "The module's directory; it must not exist. Required."
)
_TASK = flags.DEFINE_enum(
  "task",
  "feature_vector",
  ["feature_vector", "classification", "all"],
  "What the module serves. With all, the default signature is "
  "image_classification, and --feature_layer gives the features (for Keras "
  "Applications: what include_top=False, pooling='avg' gives).",
  flag_values=_FLAGS,
)
_HEIGHT = _integer(
  "height", "Expected height of images in pixels. Default: the model's own."
)
_WIDTH = _integer("width", "Expected width of images, likewise.")
_WEIGHTS = _string(
  "weights",
  "For Keras Applications: imagenet (default; downloaded by Keras), random "
  "(for tests), or a file of Keras weights.",
)
_NUM_CLASSES = _integer(
  "num_classes", "Number of classes that there must be. Default: any."
)
_LABELS = _string(
  "labels", "UTF-8 text file with the names of the classes, one a line."
)
_ARCH_NAME = _string(
  "arch_name",
  "Prefix of the endpoints' names. Default: the name of the Keras Application "
  "or model.",
)
_ENDPOINTS = _list(
  "endpoints", "Comma-separated names of Keras layers to expose as outputs."
)
_FEATURE_LAYER = _string(
  "feature_layer", "The Keras layer that yields the feature vector."
)
_PREPROCESS = _string(
  "preprocess",
  "What the model wants, given RGB in [0, 1]: none, tf (2x-1), torch, caffe, "
  "0-255, or MEAN/STD with one number or three with commas, in [0, 1]. "
  "Default: what the Keras Application was trained with; else none.",
)
_VARIABLE_SIZE = _bool(
  "variable_size", False, "Accept images of any height and width."
)
_TRAINING = _bool(
  "training",
  None,
  "Whether there is a variant for training. Default: if it differs.",
)
_BN_HPARAMS = _bool(
  "bn_hparams",
  False,
  "Add signatures with the input batch_norm_momentum for fine-tuning.",
)
_DROP_COLLECTIONS = _list(
  "drop_collections", "Collections of a TF1 function to leave out."
)
_ALLOW_CUSTOM_GRADIENTS = _bool(
  "allow_custom_gradients",
  False,
  "Accept that custom gradients are replaced by TensorFlow's own.",
)
_OVERWRITE = _bool(
  "overwrite", False, "Replace a module that exists at --export_path."
)
_VERIFY = _bool(
  "verify", True, "Load the module and compare its outputs with the model's."
)
_CHECK = _bool(
  "check", True, "Check the module against the contract (see check_module)."
)

_CHECKPOINT = CheckpointFlags(_FLAGS)
_PUBLISH = PublishFlags(_FLAGS)


def main(argv: Sequence[str]) -> int:
  """Exports what the flags say; prints a summary."""
  if argv[1:]:
    raise ValueError(
      f"Got the arguments {argv[1:]}; expected flags only, as in: "
      "export_module --model=MobileNetV2 --export_path=path/to/module"
    )
  for flag in (_MODEL, _EXPORT_PATH):
    if not flag.value:
      raise ValueError(f"--{flag.name} is missing. --help tells what it takes")
  # TensorFlow comes with these, which --help must not wait for.
  from hub_image_export import model_flag
  from hub_image_export.staging import Staging

  Staging(_EXPORT_PATH.value, overwrite=_OVERWRITE.value)
  _PUBLISH.check(_OVERWRITE.value)
  checkpoint = _CHECKPOINT.options()
  loaded = model_flag.load(
    _MODEL.value,
    task=_TASK.value,
    weights=_weights(),
    height=_HEIGHT.value,
    width=_WIDTH.value,
    num_classes=_NUM_CLASSES.value,
    variable_size=_VARIABLE_SIZE.value,
  )
  if _WEIGHTS.value == "random":
    logging.warning(
      "--weights=random: the module is of no use, except for tests"
    )
  spec = _build(loaded)
  _PUBLISH.check_spec(spec)
  summary = spec.export(
    _EXPORT_PATH.value,
    overwrite=_OVERWRITE.value,
    verify=_VERIFY.value,
    check=_CHECK.value,
    **checkpoint,
  )
  _PUBLISH.publish(summary, _OVERWRITE.value)
  print(summary)
  print(_next_steps(summary.path))
  return command_line.EXIT_OK


def _weights() -> str | None:
  """Those to begin with: none are fetched that a checkpoint replaces."""
  from hub_image_export import applications

  if not _CHECKPOINT.given:
    return _WEIGHTS.value
  if _WEIGHTS.value:
    raise ValueError("both --weights and --checkpoint are given: expected one")
  return "random" if applications.is_application(_MODEL.value) else None


def _build(loaded: Any):
  """Calls the builder for --task."""
  from hub_image_export import builders, contract

  height, width = _size(loaded)
  options = {
    "arch_name": _ARCH_NAME.value or loaded.arch_name,
    "preprocess": _preprocess(loaded),
    "endpoints": _ENDPOINTS.value,
    "variable_size": _VARIABLE_SIZE.value,
    "training": _TRAINING.value,
    "batch_norm_momentum": _BN_HPARAMS.value,
    "drop_collections": _DROP_COLLECTIONS.value or (),
    "allow_custom_gradients": _ALLOW_CUSTOM_GRADIENTS.value,
  }
  feature_layer = _FEATURE_LAYER.value or loaded.feature_layer
  classes = {"num_classes": _NUM_CLASSES.value, "labels": _LABELS.value}
  if _TASK.value == "feature_vector":
    for name in ("num_classes", "labels"):
      if classes[name]:
        raise ValueError(
          f"--{name} is for classifiers: give --task=classification or "
          "--task=all, or leave it out"
        )
    return builders.make_feature_vector_module(
      loaded.source, height, width, feature_layer=feature_layer, **options
    )
  if _TASK.value == "classification":
    return builders.make_classification_module(
      loaded.source, height, width, **classes, **options
    )
  return builders.make_image_module(
    loaded.source,
    height,
    width,
    default_task=contract.IMAGE_CLASSIFICATION,
    feature_layer=feature_layer,
    **classes,
    **options,
  )


def _size(loaded: Any) -> tuple[int, int]:
  height = _HEIGHT.value or loaded.height
  width = _WIDTH.value or loaded.width
  if not height or not width:
    raise ValueError(
      f"{_MODEL.value} does not tell which size of images it expects: give "
      "--height and --width"
    )
  return height, width


def _preprocess(loaded: Any) -> Any:
  value = _PREPROCESS.value
  if value is None:
    return loaded.preprocess
  if value == "none":
    return None
  mean, slash, std = value.partition("/")
  if not slash:
    return value
  try:
    return tuple(
      [float(number) for number in part.split(",")] for part in (mean, std)
    )
  except ValueError:
    raise ValueError(
      f"--preprocess={value}: expected numbers, as in "
      "0.485,0.456,0.406/0.229,0.224,0.225"
    ) from None


def _next_steps(path: str) -> str:
  return f"""
Check it again at any time:
  check_module {path}
Use it (TF1 graph mode; with TensorFlow 1.15: import tensorflow_hub as hub):
  import hub_image_export as hie
  import tensorflow.compat.v1 as tf
  with tf.Graph().as_default():
    module = hie.hub.Module({os.path.abspath(path)!r})
    height, width = hie.hub.get_expected_image_size(module)
    images = tf.placeholder(tf.float32, [None, height, width, 3])  # in [0, 1]
    outputs = module(images)"""


def _main_with_log(argv: Sequence[str]) -> int:
  """`main`, with this package's log on stderr, a line each."""
  flags.FLAGS.mark_as_parsed()
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  logging.get_absl_handler().setFormatter(
    standard_logging.Formatter("%(levelname)s: %(message)s")
  )
  return main(argv)


def cli() -> None:
  """The entry point of the script `export_module`."""
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  sys.exit(command_line.run(_main_with_log, _FLAGS, __doc__))


if __name__ == "__main__":
  cli()
