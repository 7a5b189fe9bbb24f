# SPDX-License-Identifier: Apache-2.0
"""The flags of `export_module` that publish; imports no TensorFlow for help."""

from __future__ import annotations

from typing import Any

from absl import flags

from hub_image_export import arguments, contract
from hub_image_export.files import new_file
from hub_image_export.publishing import archive
from hub_image_export.publishing.details import (
  SCORES,
  PageDetails,
  check_classes,
)

_PAGE_SUFFIX = ".md"
_DETAILS = {
  "handle": "For --page, required: publisher/name/version of the module.",
  "asset_path": "For --page, required: the URL (https or gs) from which "
  "consumers get the archive, ending in .tar.gz.",
  "description": "For --page: one paragraph of plain text.",
  "license": "For --page: an identifier such as apache-2.0.",
  "network": "For --page: the architecture's, such as mobilenet-v2.",
  "dataset": "For --page: the training data's, such as cifar-10.",
  "scores": "For --page of a classifier that does not end in softmax or "
  f"sigmoid: what its logits are meant for, {', '.join(SCORES)}.",
  "class_definition": "For --page of a classifier: the URL of a page that "
  "defines the class indices; required without --labels.",
}


class PublishFlags:
  """Defines the flags, checks them, and does what they say."""

  def __init__(self, flag_values: flags.FlagValues):
    def string(name: str, help_text: str):
      return flags.DEFINE_string(name, None, help_text, flag_values=flag_values)

    self._archive = string(
      "archive", "Also pack the module into this .tar.gz file."
    )
    self._page = string(
      "page", "Also write the module's documentation, as hubs show it (1.md)."
    )
    self._details = {n: string(n, text) for n, text in _DETAILS.items()}

  def check(self, overwrite: bool) -> None:
    """Raises ValueError or ExportError for what is wrong in any case."""
    given = [
      f"--{name}={arguments.shown(flag.value)}"
      for name, flag in self._details.items()
      if flag.value
    ]
    for flag, suffix in (
      (self._archive, archive.SUFFIX),
      (self._page, _PAGE_SUFFIX),
    ):
      if flag.value:
        name, what = f"--{flag.name}", f"a {suffix} file"
        path = arguments.check_local_path(name, flag.value, what)
        new_file.check_new_file(path, suffix, overwrite=overwrite, name=name)
    if self._page.value:
      self._page_details()
    elif given:
      raise ValueError(
        f"{' and '.join(given)} given without --page: expected the page's "
        "path, as in --page=1.md"
      )

  def check_spec(self, spec: Any) -> None:
    """Raises ValueError if the page cannot say what it has to (C8)."""
    if self._page.value:
      inference = spec.function.inference
      check_classes(
        self._page_details(),
        tuple(inference.tasks),
        spec.interface.labels is not None,
        inference.activations.get(contract.IMAGE_CLASSIFICATION),
      )

  def publish(self, summary: Any, overwrite: bool) -> None:
    """Writes what is asked for of the exported module."""
    from hub_image_export.publishing.module_page import write_module_page

    if self._archive.value:
      summary.archive = self._archive.value
      summary.archive_sha256 = archive.write_archive(
        summary.path, summary.archive, overwrite=overwrite
      )
    if self._page.value:
      details = {name: flag.value for name, flag in self._details.items()}
      write_module_page(
        summary.path, self._page.value, overwrite=overwrite, **details
      )

  def _page_details(self) -> PageDetails:
    details = {name: flag.value for name, flag in self._details.items()}
    for name in ("handle", "asset_path"):
      if not details[name]:
        raise ValueError(f"--page needs --{name}: {_DETAILS[name]}")
    return PageDetails(**details)
