# SPDX-License-Identifier: Apache-2.0
"""A module as one file, in the shape that hubs and their clients take.

The same module gives the same bytes: files are sorted, and nothing of the
machine, the user or the hour goes in. tensorflow_hub unpacks it straight from
a web server, which it asks with `?tf-hub-format=compressed`.
"""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from typing import Any, BinaryIO

from absl import logging

from hub_image_export import arguments, contract
from hub_image_export.errors import ExportError
from hub_image_export.files.listing import files_of, sha256_of
from hub_image_export.files.new_file import new_file
from hub_image_export.serving import statements

SUFFIX = ".tar.gz"
MANIFEST = f"{contract.EXTRA_ASSETS_DIR}/{statements.FILE}"
# What may be in a module (F1). Names follow the rule of the public hub
# (tfhub.dev, tools/validator.py).
_NAME = r"[\w-][-!',\w.=:% ]*"
_MEMBER = re.compile(
  "|".join(
    [
      re.escape(contract.SAVED_MODEL_FILE),
      re.escape(contract.MODULE_DEF_FILE),
      r"fingerprint\.pb",  # What TensorFlow 2 writes beside a SavedModel.
      re.escape(contract.VARIABLES_PREFIX) + rf"\.{_NAME}",
      rf"{re.escape(contract.ASSETS_DIR)}(/{_NAME})+",
      rf"{re.escape(contract.EXTRA_ASSETS_DIR)}(/{_NAME})+",
    ]
  )
)
# One of them tells a module from other SavedModels.
_MARKS = frozenset({contract.MODULE_DEF_FILE, MANIFEST})
_COMPRESSION = 6
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755


def write_archive(
  module: str | os.PathLike[str],
  path: str | os.PathLike[str],
  *,
  overwrite: bool = False,
) -> str:
  """Packs a module of either format into a `.tar.gz` file, the same each time.

  The module stands at the root, sorted, without owners and times. Files whose
  names begin with a dot are left out. The archive appears when it is complete.

  Args:
    module: directory of the module.
    path: the archive; its name ends in `.tar.gz`.
    overwrite: replace a file that is there.

  Returns:
    The SHA-256 of the archive, as hexadecimal digits.

  Raises:
    TypeError, ValueError: an argument is no path, or of the wrong form.
    ExportError: `module` is none, has files that do not belong there, or the
      archive exists or cannot be written.
  """
  module = arguments.check_local_path("module", module, "a module's directory")
  path = arguments.check_local_path("path", path, f"a {SUFFIX} file")
  arguments.check_bool("overwrite", overwrite)
  with new_file(path, SUFFIX, overwrite=overwrite) as file:
    _pack(module, _members(module), file)
  return sha256_of(path)


def _members(module: str) -> list[str]:
  files = files_of(module)
  if contract.SAVED_MODEL_FILE not in files or not _MARKS.intersection(files):
    raise ExportError(
      f"{module!r} has not both {contract.SAVED_MODEL_FILE} and "
      f"{contract.MODULE_DEF_FILE}: expected the directory of a module in TF1 "
      "Hub format, or of a reusable SavedModel of this package"
    )
  hidden = [f for f in files if any(p.startswith(".") for p in f.split("/"))]
  if hidden:
    logging.warning("Left out of the archive: %s", hidden)
  kept = [f for f in files if f not in set(hidden)]
  refused = [
    f
    for f in kept
    if not _MEMBER.fullmatch(f) or os.path.islink(os.path.join(module, f))
  ]
  if refused:
    raise ExportError(
      f"{module!r} has {refused[:5]}, which hubs refuse: expected files "
      f"of a module alone (F1). Move them to {contract.EXTRA_ASSETS_DIR}/, "
      "under plain names, or remove them"
    )
  return kept


def _pack(module: str, members: list[str], file: BinaryIO) -> None:
  # Neither name nor time stands in the header: so `""` and `mtime=0`.
  compressed = gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0)
  with compressed, _tar(compressed) as archive:
    for name in sorted({*_folders(members), *members}):
      source = os.path.join(module, *name.split("/"))
      member = tarfile.TarInfo(name)  # Owners 0, time 0, no users' names.
      if os.path.isdir(source):
        member.type, member.mode = tarfile.DIRTYPE, _FOLDER_MODE
        archive.addfile(member)
        continue
      member.size, member.mode = os.path.getsize(source), _FILE_MODE
      with open(source, "rb") as content:
        archive.addfile(member, content)


def _folders(members: list[str]) -> set[str]:
  """The directories of files: tensorflow_hub makes only those that it meets."""
  found: set[str] = set()
  for name in members:
    while "/" in name:
      name = name.rpartition("/")[0]
      found.add(name)
  return found


def _tar(file: Any) -> tarfile.TarFile:
  return tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT)
