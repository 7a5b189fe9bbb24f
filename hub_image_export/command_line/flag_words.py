# SPDX-License-Identifier: Apache-2.0
"""How messages of the package call arguments, where flags were given."""

from __future__ import annotations

from typing import Any

from hub_image_export.command_line.export_flags import FLAGS

_OTHER_NAMES = {
  "fn": "model",
  "batch_norm_momentum": "bn_hparams",
  "checkpoint_path": "checkpoint",
  "path": "export_path",
}
_BUILDERS = {"make_image_module": "--task=all"}


def write(argument: str, *value: Any) -> str:
  """`--notraining` for the argument `training` and the value False."""
  if argument in _BUILDERS:
    return _BUILDERS[argument]
  name = _OTHER_NAMES.get(argument, argument)
  if name not in FLAGS:
    return argument
  if value in ((), (True,)):
    return f"--{name}"
  if value == (False,):
    return f"--no{name}"
  text = value[0] if value[0] is not None else "none"
  if isinstance(text, (list, tuple)):
    text = ",".join(map(str, text))
  return f"--{name}={text}"
