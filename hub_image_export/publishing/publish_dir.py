# SPDX-License-Identifier: Apache-2.0
"""A folder that can be uploaded as it is, with all that belongs to a module."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import urllib.parse
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.arguments import printable
from hub_image_export.checker import Report, check_module
from hub_image_export.files.staging import Staging
from hub_image_export.publishing import module_page
from hub_image_export.publishing.archive import (
  MANIFEST as MANIFEST_PATH,
  SUFFIX,
  write_archive,
)
from hub_image_export.publishing.details import PageDetails
from hub_image_export.publishing.forms import HUGGINGFACE, TFHUB
from hub_image_export.publishing.module_facts import ModuleFacts, read_module
from hub_image_export.serving.statements import FILE as MANIFEST, LABELS_FILE

PAGE, REPORT = "README.md", "check_report.json"
_ARCHIVE = re.compile(rf"(?a:[\w-][\w.-]*){re.escape(SUFFIX)}")
_OTHERS = frozenset(
  {
    PAGE,
    REPORT,
    MANIFEST,
    LABELS_FILE,
    module_page.NETWORK,
    module_page.EXAMPLE,
  }
)


# What the manifests of both formats of one spec say.
_SHARED = (
  "activations",
  "default_task",
  "image_size",
  "labels_sha256",
  "preprocessing",
  "source",
  "variable_size",
  "widths",
)


def write_publish_dir(
  module: str | os.PathLike[str],
  path: str | os.PathLike[str],
  *,
  format: str = TFHUB,
  saved_model: str | os.PathLike[str] | None = None,
  example: str | os.PathLike[str] | None = None,
  report: Report | None = None,
  overwrite: bool = False,
  **details: Any,
) -> list[str]:
  """Writes all that is published of a module into one folder.

      hie.write_publish_dir(
        "path/to/module",
        "to_upload",
        format="huggingface",
        handle="my-lab/flowers/1",
        license="apache-2.0",
      )

  The folder has the page (`README.md`) and its pictures, the archive under the
  name that the page's URL ends in, the labels (`labels.txt`), the manifest
  (`manifest.json`), and what `check_module` says (`check_report.json`). It
  appears when it is complete.

  Args:
    module: directory of the module.
    path: the folder; it must not exist, or be empty.
    format, example, **details: as for `write_module_page`.
    saved_model: directory of the same module as a reusable SavedModel, whose
      archive goes beside the other one, under the same name with `-tf2`.
    report: what `check_module` said of this module; None to check it now.
    overwrite: replace such a folder that is there.

  Returns:
    Commands that upload it, as lines for a shell.

  Raises:
    TypeError, ValueError, ImportError: as `write_module_page`.
    CheckError: the module breaks the contract.
    ExportError: the folder exists, or cannot be written.
  """
  module = arguments.check_local_path("module", module, "a module's directory")
  if saved_model is not None:
    saved_model = _checked_saved_model(module, saved_model)
  arguments.check_bool("overwrite", overwrite)
  checked = PageDetails.of(format, details)
  if not isinstance(report, (Report, type(None))):
    raise arguments.wrong_type("report", report, "a Report, or None")
  staging = check_publish_dir(path, checked, overwrite=overwrite)
  module_page.check_extras(checked, example)
  if report is None:
    report = check_module(module)
  facts = read_module(module, report)
  page = module_page.make_page(
    facts, checked, module, example, saved_model=saved_model is not None
  )
  archive = archive_name(checked.url)
  with staging:
    write_archive(module, os.path.join(staging.path, archive))
    if saved_model is not None:
      name = archive_name(checked.saved_model_url)
      write_archive(saved_model, os.path.join(staging.path, name))
    files = {
      **page.pictures,
      PAGE: page.text.encode(),
      REPORT: _report(report, archive),
    }
    for name, content in files.items():
      with open(os.path.join(staging.path, name), "wb") as file:
        file.write(content)
    _copy_assets(module, staging.path, facts)
    staging.commit()
  return upload_commands(os.fspath(path), checked)


def check_publish_dir(
  path: Any, details: PageDetails, *, overwrite: bool, name: str = "path"
) -> Staging:
  """Whether the folder may be put there; what puts it there.

  Raises:
    TypeError, ValueError, ExportError: it may not; or the archive would have
      no plain name.
  """
  path = arguments.check_local_path(name, path, "a folder to publish")
  archive_name(details.url)
  return Staging(
    path,
    overwrite=overwrite,
    kind="published folder",
    name=name,
    strangers=_strangers,
  )


def _checked_saved_model(module: str, saved_model: Any) -> str:
  """The path of a SavedModel; raises ValueError if it is of another module."""
  path = arguments.check_local_path(
    "saved_model", saved_model, "a reusable SavedModel's directory"
  )
  ours, others = _description(module), _description(path)
  if ours is None or ours != others:
    raise arguments.wrong_value(
      "saved_model",
      path,
      f"the directory that export_saved_model wrote of the spec of {module!r}: "
      "their manifests say different things",
    )
  return path


def _description(module: str) -> dict[str, Any] | None:
  """What a manifest says of a module, whatever its format."""
  try:
    with open(os.path.join(module, MANIFEST_PATH), "rb") as file:
      content = json.load(file)
    return {name: content[name] for name in _SHARED}
  except (OSError, ValueError, TypeError, KeyError):
    return None


def archive_name(url: str) -> str:
  """The name of the file that a page's URL ends in.

  Raises:
    ValueError: it is no plain one.
  """
  name = os.path.basename(urllib.parse.urlsplit(url).path)
  if not _ARCHIVE.fullmatch(name):
    raise arguments.wrong_value(
      "asset_path",
      url,
      f"a URL whose last part is a file's name in letters, digits, '.', '-' "
      f"and '_', such as mine-1{SUFFIX}",
    )
  return name


def upload_commands(path: str, details: PageDetails) -> list[str]:
  """Lines for a shell."""
  if details.format == HUGGINGFACE:
    return [f"hf upload {details.repository} {shlex.quote(path)} ."]
  owner, model, *rest = details.repository.split("/")
  handle = f"{owner}/{model}/tensorFlow1/{'-'.join(rest) or 'default'}"
  code = f"import kagglehub; kagglehub.model_upload({handle!r}, {path!r})"
  server = os.path.dirname(details.url)
  return [
    f"python -c {shlex.quote(code)}",
    f"# or let a web server give what is in {shlex.quote(path)} at {server}/",
  ]


def _report(report: Report, archive: str) -> bytes:
  """As JSON, without the place of the module on this machine."""
  content = {**report.to_json(), "path": archive}
  return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _copy_assets(module: str, path: str, facts: ModuleFacts) -> None:
  """Manifest and labels, as files that need no unpacking."""
  extra = os.path.join(module, contract.EXTRA_ASSETS_DIR)
  for name in (MANIFEST, LABELS_FILE):
    if os.path.isfile(os.path.join(extra, name)):
      shutil.copyfile(os.path.join(extra, name), os.path.join(path, name))
    elif name == LABELS_FILE and facts.labels:
      with open(os.path.join(path, name), "w", encoding="utf-8") as file:
        file.writelines(f"{printable(label)}\n" for label in facts.labels)


def _strangers(path: str) -> list[str]:
  """What is in a folder that `write_publish_dir` does not write."""
  found = sorted(
    entry.name
    for entry in os.scandir(path)
    if not entry.is_file(follow_symlinks=False)
    or not (entry.name in _OTHERS or _ARCHIVE.fullmatch(entry.name))
  )
  has_page = os.path.isfile(os.path.join(path, PAGE))
  return found if has_page else [f"no {PAGE}", *found]
