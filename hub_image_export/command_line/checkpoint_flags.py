"""The flags of `export_module` about checkpoints; imports no TensorFlow."""

from __future__ import annotations

from typing import Any

from absl import flags

from hub_image_export.arguments import shown


class CheckpointFlags:
  """Defines the flags, checks them, and makes arguments of them."""

  def __init__(self, flag_values: flags.FlagValues):
    def string(name: str, help_text: str):
      return flags.DEFINE_string(name, None, help_text, flag_values=flag_values)

    def boolean(name: str, help_text: str):
      return flags.DEFINE_bool(name, False, help_text, flag_values=flag_values)

    self._path = string(
      "checkpoint",
      "Where the values of all variables come from instead of the model: a "
      "TensorFlow checkpoint (prefix or directory), a SavedModel, a TF1 Hub "
      "module, an .npz file, or weights saved by Keras.",
    )
    self._prefix = string(
      "checkpoint_prefix", "What stands before each name in the checkpoint."
    )
    self._map = string(
      "checkpoint_map",
      "Text file with a rule on each line: the name of a variable, or a "
      "regular expression that matches it wholly, then blanks, then the name "
      "in the checkpoint (\\1 stands for a group). Lines with # are comments.",
    )
    self._ema = boolean(
      "ema", "Take the moving average of each variable that has one."
    )
    self._strict = boolean(
      "strict", "Fail if the checkpoint has values that nothing uses."
    )

  @property
  def given(self) -> bool:
    return bool(self._path.value)

  def options(self) -> dict[str, Any]:
    """Arguments for `ImageModuleSpec.export`.

    Raises:
      ValueError: flags about a checkpoint, but none; a map of another form.
      WeightsError: the checkpoint cannot be read.
    """
    others = (self._prefix, self._map, self._ema, self._strict)
    if not self.given:
      for flag in others:
        if flag.value:
          raise ValueError(
            f"--{flag.name} is {shown(flag.value)}, but it is about a "
            "checkpoint: give --checkpoint, or leave it out"
          )
      return {}
    return {
      "checkpoint_path": self._path.value,
      "checkpoint_prefix": self._prefix.value or "",
      "checkpoint_map": read_map(self._map.value) if self._map.value else None,
      "ema": self._ema.value,
      "strict": self._strict.value,
    }


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
