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
  if not os.path.lexists(directory):
    findings.add(
      "not-a-module",
      directory,
      "Nothing is there; expected the directory or .tar.gz file of a TF1 Hub "
      "module. Check the path.",
    )
    return False
  if not os.path.isdir(directory):
    findings.add(
      "not-a-module",
      directory,
      "Got something that is neither a directory nor a tar archive; expected "
      "a TF1 Hub module.",
    )
    return False
  paths = _listed(directory, findings)
  readable = _check_kinds(directory, paths, findings)
  if not _has_module(directory, paths, findings):
    return False
  _check_expected(paths, findings)
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


def _listed(directory: str, findings: Findings) -> list[str]:
  paths, all_of_them = list_files(directory)
  if not all_of_them:
    findings.add(
      "unexpected-file",
      "",
      f"Got more than {MAX_FILES} files; expected a handful. Remove what "
      "is no part of the module.",
    )
  return paths


def _check_kinds(directory: str, paths: list[str], findings: Findings) -> bool:
  """Links that lead out, devices, and files that are too large to parse."""
  root = os.path.realpath(directory)
  good = True
  for path in paths:
    full = os.path.join(directory, path)
    if os.path.islink(full):
      target = os.path.realpath(full)
      if not target.startswith(root + os.sep):
        findings.add(
          "not-hermetic",
          path,
          "Got a link that leads out of the module; expected a file. Copy "
          "the file in.",
        )
    try:
      status = os.stat(full)
    except OSError as error:
      findings.add(
        "corrupt-file", path, f"It cannot be read: {error.strerror}."
      )
      good = False
      continue
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
      findings.add(
        "corrupt-file", path, "Got a device, pipe or socket; expected a file."
      )
      good = False
    elif status.st_size > _LIMITS.get(path, status.st_size):
      findings.add(
        "corrupt-file",
        path,
        f"Got {status.st_size} bytes; expected at most {_LIMITS[path]}.",
      )
      good = False
  return good


def _check_expected(paths: list[str], findings: Findings) -> None:
  folders = (contract.ASSETS_DIR + "/", contract.EXTRA_ASSETS_DIR + "/")
  known = (contract.SAVED_MODEL_FILE, contract.MODULE_DEF_FILE)
  for path in paths:
    if (
      path in known
      or path.startswith(folders)
      or _VARIABLES_FILE.fullmatch(path)
    ):
      continue
    findings.add(
      "unexpected-file",
      path,
      "Got a file that is no part of the format; expected saved_model.pb, "
      "tfhub_module.pb, variables/ and assets/ alone. Remove it, or put it "
      f"into {contract.EXTRA_ASSETS_DIR}/.",
    )


def _has_module(directory: str, paths: list[str], findings: Findings) -> bool:
  if contract.SAVED_MODEL_FILE in paths:
    return True
  nested = [p for p in paths if p.endswith("/" + contract.SAVED_MODEL_FILE)]
  text = "saved_model.pbtxt" if "saved_model.pbtxt" in paths else None
  instead = (
    f" There is one in {os.path.dirname(nested[0])}/; check that."
    if nested
    else f" There is {text}, which hub.Module does not read."
    if text
    else ""
  )
  findings.add(
    "not-a-module",
    directory,
    f"Got no {contract.SAVED_MODEL_FILE}; expected a directory with it and "
    f"{contract.MODULE_DEF_FILE}.{instead}",
  )
  return False
