# SPDX-License-Identifier: Apache-2.0
"""The page of a module: Markdown in the form of the public hub's pages.

All of it is read from the module on disk, except for what only its publisher
can know (`PageDetails`).
"""

from __future__ import annotations

import os

from hub_image_export import arguments, contract
from hub_image_export.files.new_file import check_new_file, new_file
from hub_image_export.publishing import markdown, page_sections
from hub_image_export.publishing.details import PageDetails, check_classes
from hub_image_export.publishing.module_facts import ModuleFacts, read_module

SUFFIX = ".md"


def write_module_page(
  module: str | os.PathLike[str],
  path: str | os.PathLike[str],
  *,
  overwrite: bool = False,
  **details: str | None,
) -> None:
  """Writes the documentation of a module, as hubs show it.

      hie.write_module_page(
        "path/to/module",
        "1.md",
        handle="my-lab/flowers/classification/1",
        asset_path="https://example.com/flowers/1.tar.gz",
        license="apache-2.0",
      )

  Sizes, signatures, shapes, classes, a picture of the network, and snippets
  that run as they stand are taken from the module on disk.

  Args:
    module: directory of the module.
    path: the page, a Markdown file.
    overwrite: replace a file that is there.
    **details: the publisher's words; see `PageDetails`. `handle` and
      `asset_path` are needed; a classifier's page also needs what the module
      does not say: `class_definition` without labels, `scores` where the
      network did not end in a softmax or sigmoid (C8).

  Raises:
    TypeError, ValueError: details are missing, or of the wrong form.
    CheckError: the module breaks the contract.
    ExportError: the page exists or cannot be written.
  """
  module = arguments.check_local_path("module", module, "a module's directory")
  path = arguments.check_local_path("path", path, f"a {SUFFIX} file")
  arguments.check_bool("overwrite", overwrite)
  checked = PageDetails.of(details)
  check_new_file(path, SUFFIX, overwrite=overwrite)
  content = make_page(read_module(module), checked)
  with new_file(path, SUFFIX, overwrite=overwrite) as file:
    file.write(content.encode())


def make_page(facts: ModuleFacts, details: PageDetails) -> str:
  """The page as text; raises ValueError if C8 cannot be met."""
  check_classes(
    details, facts.tasks, facts.labels is not None, facts.activation
  )
  sections = [
    f"# Module {details.handle}",
    _description(facts, details),
    _metadata(facts, details),
    page_sections.overview(facts),
    page_sections.network(facts),
    page_sections.usage(facts, details),
    page_sections.outputs(facts),
    *([page_sections.classes(facts, details)] if facts.is_classifier else []),
    page_sections.fine_tuning(facts, details),
    page_sections.compatibility(facts),
  ]
  return "\n\n".join(sections) + "\n"


def _description(facts: ModuleFacts, details: PageDetails) -> str:
  if details.description is not None:
    return markdown.text(" ".join(details.description.split()))
  height, width = facts.image_size
  return f"{_purpose(facts)} for images of {height}x{width} pixels."


def _purpose(facts: ModuleFacts) -> str:
  kinds = {
    contract.IMAGE_FEATURE_VECTOR: "Feature vectors ({} numbers)",
    contract.IMAGE_CLASSIFICATION: "Scores of {} classes",
  }
  order = sorted(facts.tasks, key=lambda task: task != facts.default_task)
  parts = [kinds[task].format(facts.widths[task]) for task in order]
  return parts[0] + "".join(f" and {p[0].lower()}{p[1:]}" for p in parts[1:])


def _metadata(facts: ModuleFacts, details: PageDetails) -> str:
  pairs = [
    ("asset-path", details.asset_path),
    ("dataset", details.dataset),
    ("fine-tunable", "true" if facts.trainable_parameters else "false"),
    ("format", "hub"),
    ("license", details.license),
    ("network-architecture", details.network),
    *(("task", task.replace("_", "-")) for task in facts.tasks),
  ]
  return "\n".join(f"<!-- {key}: {value} -->" for key, value in pairs if value)
