# SPDX-License-Identifier: Apache-2.0
"""Opens a module from wherever it is: a directory, an archive, the web."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.serving import resizing
from hub_image_export.serving.formats import Contents, contents
from hub_image_export.serving.frozen import frozen_if_possible
from hub_image_export.serving.image_module import Description, ImageModule
from hub_image_export.serving.loaded_module import config_of
from hub_image_export.tensorflow_api.compat import hub
from hub_image_export.untrusted.archive import ArchiveError, is_archive, unpack


def open_module(
  path: str | os.PathLike[str],
  *,
  resize: str = resizing.BILINEAR,
  threads: int | None = None,
) -> ImageModule:
  """Opens an image module for use, whoever made it.

  Nothing of it runs before it was read: a module that could touch files or
  processes is refused. Weights become constants in memory, which makes it
  faster. Eager execution, default graphs and sessions are left alone.

  Args:
    path: a module's directory in TF1 Hub format, or that of a SavedModel of
      TensorFlow 2 with a `serving_default` signature on images (T14); a tar
      archive of one; or a URL, which `hub.resolve` downloads.
    resize: how images of other sizes are brought to the expected one (C16):
      "bilinear" as hub's retrain.py and most consumers of these modules do,
      or "antialias", which averages over all pixels.
    threads: that decode, and of TensorFlow's ops; by default as many as there
      are processors. Those of ops are TensorFlow's for the whole process, which
      its first session decides.

  Returns:
    An `ImageModule`.

  Raises:
    TypeError, ValueError: an argument is wrong, there is no module, it is
      damaged, or has no signature on images alone.
    SourceError: it could touch the machine.
  """
  path = arguments.check_path("path", path, "a module, or of an archive of one")
  arguments.check_choice("resize", resize, resizing.METHODS)
  if threads is not None:
    threads = arguments.check_size("threads", threads)
  with contextlib.ExitStack() as stack:
    with directory_of(path) as directory:
      found = contents(directory)
      description, applied = _describe(path, found, resize)
      config = config_of(threads or 0)
      shape = [None, *description.image_size, contract.NUM_CHANNELS]
      names = sorted(set(applied.values()))
      module = frozen_if_possible(
        found.load(names, shape, threads or 0), config, stack
      )
    outputs = {
      f"{name}/{key}": module.outputs[f"{applied[name]}/{key}"]
      for name, keys in description.signatures.items()
      for key in keys
    }
    resizer = resizing.Resizer(*description.image_size, resize, config)
    stack.callback(resizer.close)
    return ImageModule(
      description,
      dataclasses.replace(module, outputs=outputs),
      resizer,
      threads or os.cpu_count() or 1,
      stack.pop_all(),
    )


@contextlib.contextmanager
def directory_of(path: str) -> Any:
  """A directory with what is in `path`, which may be an archive or a URL."""
  if arguments.is_remote(path):
    path = _downloaded(path)
  if not is_archive(path):
    yield path
    return
  with tempfile.TemporaryDirectory(prefix="open_module_") as directory:
    try:
      unpack(path, directory)
    except ArchiveError as error:
      where = f" ({error.where})" if error.where else ""
      raise ValueError(
        f"path is {arguments.shown(path)}, an archive that is refused{where}: "
        f"{error}"
      ) from error
    yield directory


def _downloaded(url: str) -> str:
  try:
    return hub.resolve(url)
  except Exception as error:  # Of the network, of servers, of archives.
    raise ValueError(
      f"path is {arguments.shown(url)}, which cannot be downloaded "
      f"({type(error).__name__}: {error!s:.300}): expected the address of a "
      "module's archive. Is it right, and the server there?"
    ) from error


def _describe(
  path: str, found: Contents, resize: str
) -> tuple[Description, dict[str, str]]:
  """What the module says of itself; the signature to apply for each one."""
  # Signatures that are the same but for their names are applied once.
  tensors = {
    name: {key: info.name for key, info in definition.outputs.items()}
    for name, definition in found.signatures.items()
  }
  applied = {
    name: min(n for n, other in tensors.items() if other == mine)
    for name, mine in tensors.items()
  }
  description = Description(
    path=path,
    image_size=found.image_size,
    signatures={n: tuple(sorted(keys)) for n, keys in sorted(tensors.items())},
    task=_default_task(tensors) or found.statements.default_task,
    labels=found.labels,
    activation=found.statements.activation,
    resize=resize,
  )
  return description, applied


def _default_task(tensors: dict[str, dict[str, str]]) -> str | None:
  """The task that the default signature serves (C9)."""
  default = tensors[contract.DEFAULT_SIGNATURE].get(contract.DEFAULT_OUTPUT)
  for task in contract.TASKS:
    if tensors.get(task, {}).get(contract.DEFAULT_OUTPUT, "") == default:
      return task
  return None
