# SPDX-License-Identifier: Apache-2.0
"""Models and functions in the user's own code: `file.py:name`."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import re
import sys
import types
from typing import Any

from hub_image_export import errors
from hub_image_export.tensorflow_api import (
  keras_packages,
  tf1_rules,
  user_errors,
)

# "nets/digits.py:model", "nets.digits:model".
_REFERENCE = re.compile(r"(.+\.py|\w+(\.\w+)*):\w+")
_NAMES_SHOWN = 20
# What modules asked for by TensorFlow's switches when their code ran.
_asked: dict[str, tf1_rules.Asked] = {}


def is_reference(text: str) -> bool:
  """Whether `text` has the form `file.py:name` or `package.module:name`."""
  return _REFERENCE.fullmatch(text) is not None


def load(reference: str) -> Any:
  """Imports the file or module and returns what has the name there.

  Imports in a file work as if it were run as a program: its own directory
  comes first. Modules are looked for in the working directory, too.

  What the code asks for by `tf.compat.v1.disable_v2_behavior()` and its like
  holds while its functions are called, and nowhere else.

  Raises:
    ValueError: there is no such file, module or name.
    TypeError: the name stands for neither a model nor a function.
    errors.SourceError: the code fails while it is imported.
  """
  place, _, name = reference.rpartition(":")
  is_file = place.endswith(".py")
  known = place in sys.modules
  with tf1_rules.switches_kept() as asked:
    module = _import_file(place) if is_file else _import_module(place)
  if known:  # Python did not run its code again.
    asked = _asked.get(place, asked)
  _asked[place] = asked
  if not hasattr(module, name):
    raise ValueError(
      f"{place} has no {name!r}: expected the name of a model or function in "
      f"it{_suggestion(name, module)}"
    )
  value = getattr(module, name)
  if inspect.isclass(value):
    raise TypeError(
      f"{reference} is a class: expected a model or a function. Add a line "
      f"like model = {name}() to the file and give {place}:model"
    )
  # A loaded SavedModel may have nothing but signatures.
  if not callable(value) and not hasattr(value, "signatures"):
    raise TypeError(
      f"{reference} is of type {type(value).__name__}: expected a Keras model "
      "or a function on images. Give the name of one"
    )
  return _Under(asked, value) if asked and _is_plain(value) else value


def _is_plain(value: Any) -> bool:
  """Whether nothing is asked of it but to be called."""
  return callable(value) and not (
    keras_packages.is_layer(value) or hasattr(value, "signatures")
  )


class _Under:
  """A function, called under what its file asked for."""

  def __init__(self, asked: tf1_rules.Asked, function: Any) -> None:
    self._asked, self._function = asked, function
    functools.update_wrapper(self, function)

  def __getattr__(self, name: str) -> Any:  # A tf.Module may have penalties.
    return getattr(self.__dict__["_function"], name)

  def __call__(self, *args: Any, **kwargs: Any) -> Any:
    with self._asked.in_force():
      return self._function(*args, **kwargs)


def _import_file(path: str) -> types.ModuleType:
  if not os.path.isfile(path):
    raise ValueError(
      f"{path!r} is no file: expected Python code with a model or function"
    )
  _add_to_path(os.path.dirname(os.path.abspath(path)))
  # The prefix keeps a file "models.py" from replacing a library "models".
  name = "model_file_" + os.path.basename(path)[: -len(".py")]
  loader = importlib.machinery.SourceFileLoader(name, path)
  spec = importlib.util.spec_from_loader(name, loader)
  assert spec is not None  # There is a loader.
  module = importlib.util.module_from_spec(spec)
  # Dataclasses and pickle look their module up there.
  sys.modules[name] = module
  try:
    loader.exec_module(module)
  except (Exception, SystemExit) as error:
    del sys.modules[name]
    raise _import_failed(path, error) from error
  return module


def _import_module(name: str) -> types.ModuleType:
  _add_to_path(os.getcwd())
  try:
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    if error.name and (name + ".").startswith(error.name + "."):
      raise ValueError(
        f"{name!r} cannot be imported, as there is no module {error.name!r}: "
        "expected one on Python's path, or in the working directory. For a "
        "file, give its path: path/to/file.py:name"
      ) from error
    raise _import_failed(name, error) from error
  except (Exception, SystemExit) as error:
    raise _import_failed(name, error) from error


def _import_failed(place: str, error: BaseException) -> errors.SourceError:
  if isinstance(error, SystemExit):
    return errors.SourceError(
      f"{place} exits when it is imported: expected definitions. Put what it "
      'does as a program under if __name__ == "__main__"'
    )
  return errors.SourceError(
    f"{place} fails when it is imported: {user_errors.raised(error)}"
  )


def _add_to_path(directory: str) -> None:
  if directory not in sys.path:
    sys.path.insert(0, directory)


def _suggestion(name: str, module: types.ModuleType) -> str:
  public = [
    key
    for key, value in vars(module).items()
    if not key.startswith("_")
    and callable(value)
    and not inspect.isclass(value)
  ]
  nearest = difflib.get_close_matches(name, public, n=1)
  if nearest:
    return f". Did you mean {nearest[0]!r}?"
  if not public:
    return ", which has none"
  return f": {', '.join(sorted(public)[:_NAMES_SHOWN])}"
