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

from hub_image_export import command_line, export_flags


def main(argv: Sequence[str]) -> int:
  """Exports what the flags say; prints a summary."""
  if argv[1:]:
    raise ValueError(
      f"Got the arguments {argv[1:]}; expected flags only, as in: "
      "export_module --model=MobileNetV2 --export_path=path/to/module"
    )
  for flag in (export_flags.MODEL, export_flags.EXPORT_PATH):
    if not flag.value:
      raise ValueError(f"--{flag.name} is missing. --help tells what it takes")
  # TensorFlow comes with these, which --help must not wait for.
  from hub_image_export import model_flag
  from hub_image_export.staging import Staging

  Staging(
    export_flags.EXPORT_PATH.value, overwrite=export_flags.OVERWRITE.value
  )
  export_flags.PUBLISH.check(export_flags.OVERWRITE.value)
  checkpoint = export_flags.CHECKPOINT.options()
  loaded = model_flag.load(
    export_flags.MODEL.value,
    task=export_flags.TASK.value,
    weights=_weights(),
    height=export_flags.HEIGHT.value,
    width=export_flags.WIDTH.value,
    num_classes=export_flags.NUM_CLASSES.value,
    variable_size=export_flags.VARIABLE_SIZE.value,
  )
  if export_flags.WEIGHTS.value == "random":
    logging.warning(
      "--weights=random: the module is of no use, except for tests"
    )
  spec = _build(loaded)
  export_flags.PUBLISH.check_spec(spec)
  summary = spec.export(
    export_flags.EXPORT_PATH.value,
    overwrite=export_flags.OVERWRITE.value,
    verify=export_flags.VERIFY.value,
    check=export_flags.CHECK.value,
    **checkpoint,
  )
  export_flags.PUBLISH.publish(summary, export_flags.OVERWRITE.value)
  print(summary)
  print(_next_steps(summary.path))
  return command_line.EXIT_OK


def _weights() -> str | None:
  """Those to begin with: none are fetched that a checkpoint replaces."""
  from hub_image_export import applications

  if not export_flags.CHECKPOINT.given:
    return export_flags.WEIGHTS.value
  if export_flags.WEIGHTS.value:
    raise ValueError("both --weights and --checkpoint are given: expected one")
  return (
    "random" if applications.is_application(export_flags.MODEL.value) else None
  )


def _build(loaded: Any):
  """Calls the builder for --task."""
  from hub_image_export import builders, contract

  height, width = _size(loaded)
  options = {
    "arch_name": export_flags.ARCH_NAME.value or loaded.arch_name,
    "preprocess": _preprocess(loaded),
    "endpoints": export_flags.ENDPOINTS.value,
    "variable_size": export_flags.VARIABLE_SIZE.value,
    "training": export_flags.TRAINING.value,
    "batch_norm_momentum": export_flags.BN_HPARAMS.value,
    "drop_collections": export_flags.DROP_COLLECTIONS.value or (),
    "allow_custom_gradients": export_flags.ALLOW_CUSTOM_GRADIENTS.value,
  }
  feature_layer = export_flags.FEATURE_LAYER.value or loaded.feature_layer
  classes = {
    "num_classes": export_flags.NUM_CLASSES.value,
    "labels": export_flags.LABELS.value,
  }
  if export_flags.TASK.value == "feature_vector":
    for name in ("num_classes", "labels"):
      if classes[name]:
        raise ValueError(
          f"--{name} is for classifiers: give --task=classification or "
          "--task=all, or leave it out"
        )
    return builders.make_feature_vector_module(
      loaded.source, height, width, feature_layer=feature_layer, **options
    )
  if export_flags.TASK.value == "classification":
    if export_flags.FEATURE_LAYER.value:
      raise ValueError(
        "--feature_layer is for features: give --task=feature_vector or "
        "--task=all, or leave it out"
      )
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
  height = export_flags.HEIGHT.value or loaded.height
  width = export_flags.WIDTH.value or loaded.width
  if not height or not width:
    raise ValueError(
      f"{export_flags.MODEL.value} does not tell which size of images it "
      "expects: give --height and --width"
    )
  return height, width


def _preprocess(loaded: Any) -> Any:
  value = export_flags.PREPROCESS.value
  if value is None:
    return loaded.preprocess
  if value == "none":
    return None
  mean, slash, std = value.partition("/")
  if not slash:
    return value
  try:
    return _numbers(mean), _numbers(std)
  except ValueError:
    raise ValueError(
      f"--preprocess={value}: expected numbers, as in "
      "0.485,0.456,0.406/0.229,0.224,0.225"
    ) from None


def _numbers(text: str) -> float | list[float]:
  """One number for all channels, or one for each."""
  numbers = [float(number) for number in text.split(",")]
  return numbers[0] if len(numbers) == 1 else numbers


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
  sys.exit(command_line.run(_main_with_log, export_flags.FLAGS, __doc__))


if __name__ == "__main__":
  cli()
