# SPDX-License-Identifier: Apache-2.0
"""The files of a module: which are there, which should not be (F1, F5)."""

from __future__ import annotations

import os
import re
import stat

from hub_image_export import contract
from hub_image_export.checker.report import Findings

# What a protocol buffer can hold; a module definition is a few bytes.
MAX_GRAPH_BYTES = 2**31 - 1
MAX_MODULE_DEF_BYTES = 2**16
MAX_INDEX_BYTES = 2**28
MAX_FILES = 10_000
# What TensorFlow and Keras 2 write in the TF2 format, and no other.
_TF2_FILES = (contract.FINGERPRINT_FILE, "keras_metadata.pb")
_LIMITS = {
  contract.SAVED_MODEL_FILE: MAX_GRAPH_BYTES,
  contract.MODULE_DEF_FILE: MAX_MODULE_DEF_BYTES,
  contract.VARIABLES_PREFIX + ".index": MAX_INDEX_BYTES,
}
# variables/variables.index, variables/variables.data-00000-of-00001
_VARIABLES_FILE = re.compile(
  re.escape(contract.VARIABLES_PREFIX) + r"\.(index|data-\d{5}-of-\d{5})"
)


def check_files(directory: str, findings: Findings) -> bool:
  """Looks at names, kinds and sizes; opens no file.

  Returns:
    Whether there is a graph to look into.
  """
  if not os.path.isdir(directory):
    got = "Nothing is there; expected the directory or .tar.gz file of a TF1"
    advice = "Hub module. Check the path."
    if os.path.lexists(directory):
      got = "Got something that is neither a directory nor a tar archive;"
      advice = "expected a TF1 Hub module."
    findings.add("not-a-module", directory, f"{got} {advice}")
    return False
  paths, all_of_them = list_files(directory)
  if not all_of_them:
    text = (
      f"Got more than {MAX_FILES} files; expected a handful. Remove what "
      "is no part of the module."
    )
    findings.add("unexpected-file", "", text)
  readable = True
  for path in paths:
    problem = _unreadable(os.path.join(directory, path), _LIMITS.get(path))
    if problem:
      findings.add("corrupt-file", path, problem)
      readable = False
    if _leads_out(directory, path):
      text = (
        "Got a link that leads out of the module; expected a file. Copy the "
        "file in."
      )
      findings.add("not-hermetic", path, text)
  if contract.SAVED_MODEL_FILE not in paths:
    findings.add("not-a-module", directory, _no_module(paths))
    return False
  more = () if contract.MODULE_DEF_FILE in paths else _TF2_FILES
  for path in paths:
    if not _is_expected(path) and path not in more:
      text = (
        "Got a file that is no part of the format; expected saved_model.pb, "
        "tfhub_module.pb, variables/ and assets/ alone. Remove it, or put it "
        f"into {contract.EXTRA_ASSETS_DIR}/."
      )
      findings.add("unexpected-file", path, text)
  return readable


def list_files(directory: str) -> tuple[list[str], bool]:
  """What is in a directory and below, except for directories.

  Links are not followed; a directory that cannot be read counts as a file.
  Nothing here depends on how deep it is, or goes on after `MAX_FILES`.

  Returns:
    Relative paths with slashes, sorted; and whether these are all.
  """
  found: list[str] = []
  pending = [""]
  left = MAX_FILES
  while pending:
    folder = pending.pop()
    try:
      with os.scandir(os.path.join(directory, folder)) as entries:
        for entry in entries:
          left -= 1
          if left < 0:
            return sorted(found), False
          path = f"{folder}/{entry.name}" if folder else entry.name
          is_folder = entry.is_dir(follow_symlinks=False)
          (pending if is_folder else found).append(path)
    except OSError:
      found.append(folder or ".")
  return sorted(found), True


def _leads_out(directory: str, path: str) -> bool:
  """Whether a file is a link to something outside of the directory."""
  full = os.path.join(directory, path)
  root = os.path.realpath(directory) + os.sep
  return os.path.islink(full) and not os.path.realpath(full).startswith(root)


def _unreadable(path: str, most: int | None) -> str | None:
  """Why a file cannot be read, or is no file, or too large to be parsed."""
  try:
    status = os.stat(path)
  except OSError as error:
    return f"It cannot be read: {error.strerror}."
  if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
    return "Got a device, pipe or socket; expected a file."
  if most is not None and status.st_size > most:
    return f"Got {status.st_size} bytes; expected at most {most}."
  return None


def _is_expected(path: str) -> bool:
  folders = (contract.ASSETS_DIR + "/", contract.EXTRA_ASSETS_DIR + "/")
  return (
    path in (contract.SAVED_MODEL_FILE, contract.MODULE_DEF_FILE)
    or path.startswith(folders)
    or _VARIABLES_FILE.fullmatch(path) is not None
  )


def _no_module(paths: list[str]) -> str:
  nested = [p for p in paths if p.endswith("/" + contract.SAVED_MODEL_FILE)]
  instead = ""
  if nested:
    instead = f" There is one in {os.path.dirname(nested[0])}/; check that."
  elif "saved_model.pbtxt" in paths:
    instead = " There is saved_model.pbtxt, which hub.Module does not read."
  return (
    f"Got no {contract.SAVED_MODEL_FILE}; expected a directory with it and "
    f"{contract.MODULE_DEF_FILE}.{instead}"
  )
