# SPDX-License-Identifier: Apache-2.0
"""Exports an image model as a TF1 Hub module ("Common Signatures for Images").

With --format=saved_model, as a reusable SavedModel of TensorFlow 2 ("Common
SavedModel APIs for Image Tasks"), which hub.KerasLayer can fine-tune.

  export_module --model=MobileNetV2 --export_path=/modules/mobilenet/1
  export_module --model=classifier.keras --task=all --feature_layer=avg_pool \\
      --preprocess=tf --labels=labels.txt --export_path=/modules/mine/1
  export_module --model=my_package.nets:resnet --height=224 --width=224 \\
      --export_path=/modules/resnet/1
  export_module --model=MobileNetV2 --export_path=/modules/mobilenet/1 \\
      --publish_dir=to_upload --page_format=huggingface \\
      --handle=my-lab/mobilenet/1 --license=apache-2.0 \\
      --endpoints=out_relu --example=photo.jpg

  export_module --model=nets/slim.py:resnet --height=224 --width=224 \\
      --checkpoint=training/ --ema --export_path=/modules/resnet/2

--model is one of
  a Keras Applications name    MobileNetV2 (its preprocessing is known)
  a saved Keras model          model.keras, model.h5
  a SavedModel                 path/to/directory
  a TF1 Hub module             path/to/directory (it is wrapped again)
  a TF1 checkpoint's graph     model.ckpt.meta, with --output=logits:0
  Python code, which is run    path/to/file.py:name, package.module:name

Nothing else runs code: saved models that bring Python code along, or whose ops
use files, are refused.

The module takes RGB images in [0, 1]. It is loaded again and compared with
the model before it is put into place; the summary ends with a snippet to use
it. Exit code: 0 the module is there, and was verified unless --noverify was
given; 1 it is not, and nothing was changed.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging as standard_logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from absl import flags, logging

from hub_image_export import arguments, progress
from hub_image_export.checker import prepared
from hub_image_export.command_line import (
  export_flags,
  run as command_line,
  start_up,
)

_STARTED = time.perf_counter()


def main(argv: Sequence[str]) -> int:
  """Exports what the flags say; prints a summary, and nothing else."""
  # Keras prints how far a download is, and users' code whatever it likes.
  with (
    contextlib.redirect_stdout(sys.stderr),
    arguments.written_as(export_flags.write),
    # Its process imports TensorFlow while this one works.
    prepared() if export_flags.CHECK.value else contextlib.nullcontext(),
  ):
    done = _export(argv)
    texts = [str(each) for each in done]
  if export_flags.as_json():
    found = [each.to_json() for each in done]
    text = json.dumps(found if len(found) > 1 else found[0], indent=2)
    command_line.tell(text)
    return command_line.EXIT_OK
  if not export_flags.DRY_RUN.value:
    texts = [f"{t}\n{_next_steps(each)}" for t, each in zip(texts, done)]
  command_line.tell(command_line.for_terminal("\n".join(texts)))
  return command_line.EXIT_OK


_EXPECTED = {
  "model": "what to export, as in --model=MobileNetV2",
  "export_path": "the directory to be made, as in --export_path=mobilenet/1",
}


def _export(argv: Sequence[str]) -> list[Any]:
  """The `Summary` of each module, or a `Description` of what they would be."""
  seconds: dict[str, float] = {}
  _check_given(argv)
  command_line.import_tensorflow()
  from hub_image_export.command_line import builder_flags

  paths = _check_values()
  weights, checkpoint = _weights(), export_flags.CHECKPOINT.check()
  with progress.timed(seconds, "load"):
    loaded = _load(weights)
  with progress.timed(seconds, "trace"):
    spec = builder_flags.build(loaded)
  export_flags.PUBLISH.check_spec(spec)
  if export_flags.DRY_RUN.value:
    return [spec.describe()]
  summaries = _write(spec, paths, checkpoint)
  with summaries[-1].phase("publish"):
    export_flags.PUBLISH.publish(summaries, export_flags.OVERWRITE.value)
  _add_all_seconds(summaries, seconds)
  return summaries


def _check_given(argv: Sequence[str]) -> None:
  """Raises ValueError where something is missing, or too much."""
  if argv[1:]:
    raise ValueError(
      f"Got the arguments {argv[1:]}: expected flags only, as in: "
      "export_module --model=MobileNetV2 --export_path=path/to/module"
    )
  needed = [export_flags.MODEL]
  if not export_flags.DRY_RUN.value:
    needed.append(export_flags.EXPORT_PATH)
  for flag in needed:
    if not flag.value:
      raise ValueError(
        f"--{flag.name} is missing: expected {_EXPECTED[flag.name]}. --help "
        "tells more"
      )
  if export_flags.EXPORT_PATH.value:
    arguments.check_path("--export_path", export_flags.EXPORT_PATH.value)


def _check_values() -> dict[str, str]:
  """Judges what needs no model, but TensorFlow; the paths by their formats."""
  from hub_image_export.command_line import builder_flags, model_flag
  from hub_image_export.files.staging import Staging

  overwrite = export_flags.OVERWRITE.value
  model_flag.check(export_flags.MODEL.value)
  paths: dict[str, str] = {}
  if export_flags.EXPORT_PATH.value:
    paths = export_flags.export_paths()
  for path in paths.values():
    Staging(path, overwrite=overwrite)
  builder_flags.check()
  export_flags.PUBLISH.check(overwrite, list(paths))
  return paths


def _load(weights: str | None) -> Any:
  """The model, with these weights to begin with."""
  from hub_image_export.command_line import model_flag

  loaded = model_flag.load(
    export_flags.MODEL.value,
    task=export_flags.TASK.value,
    weights=weights,
    height=export_flags.HEIGHT.value,
    width=export_flags.WIDTH.value,
    num_classes=export_flags.NUM_CLASSES.value,
    variable_size=export_flags.VARIABLE_SIZE.value,
    output=export_flags.OUTPUT.value,
    images=export_flags.IMAGES.value,
  )
  if export_flags.WEIGHTS.value == "random":
    logging.warning(
      "--weights=random: the module is of no use, except for tests"
    )
  return loaded


def _write(
  spec: Any, paths: dict[str, str], checkpoint: dict[str, Any]
) -> list[Any]:
  """Exports each format to its path; returns their summaries."""
  write: dict[str, Callable[..., Any]] = {
    export_flags.HUB: spec.export,
    export_flags.SAVED_MODEL: functools.partial(
      spec.export_saved_model, split_groups=export_flags.SPLIT_GROUPS.value
    ),
  }
  return [
    write[name](
      path,
      overwrite=export_flags.OVERWRITE.value,
      verify=export_flags.VERIFY.value,
      check=export_flags.CHECK.value,
      **checkpoint,
    )
    for name, path in paths.items()
  ]


def _add_all_seconds(summaries: list[Any], before: dict[str, float]) -> None:
  """Lets the first summary have what came before all modules, too.

  What is no other phase is the start: TensorFlow's import, most of all.
  """
  known = [before, *(summary.seconds for summary in summaries)]
  start = time.perf_counter() - _STARTED
  start -= sum(second for seconds in known for second in seconds.values())
  summaries[0].seconds = {"start": start, **before, **summaries[0].seconds}


def _weights() -> str | None:
  """Those to begin with: none are fetched that a checkpoint replaces."""
  from hub_image_export.sources import applications

  if not export_flags.CHECKPOINT.given:
    return export_flags.WEIGHTS.value
  if export_flags.WEIGHTS.value:
    raise ValueError(
      f"--weights is {export_flags.WEIGHTS.value!r}, and there is "
      "--checkpoint: expected one. The checkpoint has all values: leave "
      "--weights out"
    )
  return (
    "random" if applications.is_application(export_flags.MODEL.value) else None
  )


def _next_steps(summary: Any) -> str:
  use = _USE[summary.format].format(path=repr(os.path.abspath(summary.path)))
  return f"""
Check it again at any time:
  check_module {summary.path}
{use}"""


_USE = {
  "hub": """\
Use it (TF1 graph mode; with TensorFlow 1.15: import tensorflow_hub as hub):
  import hub_image_export as hie
  import tensorflow.compat.v1 as tf
  with tf.Graph().as_default():
    module = hie.hub.Module({path})
    height, width = hie.hub.get_expected_image_size(module)
    images = tf.placeholder(tf.float32, [None, height, width, 3])  # in [0, 1]
    outputs = module(images)""",
  "saved_model": """\
Use it (TF2; for Keras 2, also hub.KerasLayer(path, trainable=True)):
  import tensorflow as tf
  module = tf.saved_model.load({path})
  outputs = module(images)  # float32 [batch_size, height, width, 3] in [0, 1]
  outputs = module(images, training=True)  # and regularization_losses""",
}


class _PrintableFormatter(standard_logging.Formatter):
  """One whose lines hold no commands for the terminal."""

  def format(self, record: standard_logging.LogRecord) -> str:
    return command_line.for_terminal(super().format(record))


def _main_with_log(argv: Sequence[str]) -> int:
  """`main`, with this package's log on stderr, a line each, and no other."""
  flags.FLAGS.mark_as_parsed()
  logging.use_absl_handler()
  logging.set_verbosity(logging.INFO)
  handler = logging.get_absl_handler()
  handler.setFormatter(_PrintableFormatter("%(levelname)s: %(message)s"))
  if export_flags.FLAGS[command_line.DEBUG].value:
    return main(argv)
  with start_up.without_chatter():
    handler.python_handler.setStream(sys.stderr)
    return main(argv)


def cli() -> None:
  """The entry point of the script `export_module`."""
  code = command_line.run(_main_with_log, export_flags.FLAGS, __doc__)
  command_line.end(code)


if __name__ == "__main__":
  cli()
