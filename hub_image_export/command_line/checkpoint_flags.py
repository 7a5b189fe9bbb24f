# SPDX-License-Identifier: Apache-2.0
"""The flags of `export_module` about checkpoints; imports no TensorFlow."""

from __future__ import annotations

from typing import Any

from absl import flags

from hub_image_export.arguments import shown

_STRINGS = {
  "checkpoint": "Where the values of all variables come from instead of the "
  "model: a TensorFlow checkpoint (prefix or directory), a SavedModel, a TF1 "
  "Hub module, an .npz file, or weights saved by Keras.",
  "checkpoint_prefix": "What stands before each name in the checkpoint.",
  "checkpoint_map": "Text file with a rule on each line: the name of a "
  "variable, or a regular expression that matches it wholly, then blanks, then "
  "the name in the checkpoint (\\1 stands for a group). Lines with # are "
  "comments.",
}
_SWITCHES = {
  "ema": "Take the moving average of each variable that has one.",
  "strict": "Fail if the checkpoint has values that nothing uses.",
}


class CheckpointFlags:
  """Defines the flags, checks them, and makes arguments of them."""

  def __init__(self, flag_values: flags.FlagValues):
    self._flags: dict[str, flags.FlagHolder] = {}
    for name, text in _STRINGS.items():
      self._flags[name] = flags.DEFINE_string(
        name, None, text, flag_values=flag_values
      )
    for name, text in _SWITCHES.items():
      self._flags[name] = flags.DEFINE_bool(
        name, False, text, flag_values=flag_values
      )

  @property
  def given(self) -> bool:
    return bool(self._flags["checkpoint"].value)

  def options(self) -> dict[str, Any]:
    """Arguments for `ImageModuleSpec.export`.

    Raises:
      ValueError: flags about a checkpoint, but none; a map of another form.
    """
    values = {name: flag.value for name, flag in self._flags.items()}
    if not self.given:
      for name, value in values.items():
        if value:
          raise ValueError(
            f"--{name} is {shown(value)}, but it is about a checkpoint: give "
            "--checkpoint, or leave it out"
          )
      return {}
    path = values["checkpoint_map"]
    return {
      "checkpoint_path": values["checkpoint"],
      "checkpoint_prefix": values["checkpoint_prefix"] or "",
      "checkpoint_map": read_map(path) if path else None,
      "ema": values["ema"],
      "strict": values["strict"],
    }

  def check(self) -> dict[str, Any]:
    """`options`, and what `export` would raise: the model is not loaded yet.

    Raises:
      WeightsError: the checkpoint cannot be read.
    """
    from hub_image_export.weights.names import NameRules
    from hub_image_export.weights.readers import open_values

    options = self.options()
    if options:
      # What is unused shows when the variables are known.
      NameRules(
        prefix=options["checkpoint_prefix"],
        mapping=options["checkpoint_map"],
        ema=options["ema"],
      )
      open_values(options["checkpoint_path"])
    return options


def read_map(path: str) -> dict[str, str]:
  """Reads a file of rules, two words on each line.

  Raises:
    ValueError: it cannot be read, or a line has another form or repeats a rule.
  """
  rules: dict[str, str] = {}
  for number, line in enumerate(_lines(path), 1):
    words = line.split()
    if not words or words[0].startswith("#"):
      continue
    if len(words) != 2 or words[0] in rules:
      raise ValueError(
        f"--checkpoint_map: {path}:{number} is {shown(line.strip())}: expected "
        "a name or regular expression that is not there yet, blanks, and the "
        "name in the checkpoint"
      )
    rules[words[0]] = words[1]
  if not rules:
    raise ValueError(f"--checkpoint_map is {shown(path)}: expected rules in it")
  return rules


def _lines(path: str) -> list[str]:
  try:
    with open(path, encoding="utf-8") as file:
      return file.read().splitlines()
  except (OSError, ValueError) as error:
    raise ValueError(
      f"--checkpoint_map is {shown(path)}: expected a text file in UTF-8 "
      f"({error})"
    ) from error
