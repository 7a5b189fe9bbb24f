# SPDX-License-Identifier: Apache-2.0
"""The page of a module: Markdown, in the form of the place it is for.

All of it is read from the module on disk, except for what only its publisher
can know (`PageDetails`), and what the module makes of the publisher's photo.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from hub_image_export import arguments, contract
from hub_image_export.files.new_file import check_new_file, new_file
from hub_image_export.publishing import (
  front_matter,
  markdown,
  network_picture,
  page_sections,
)
from hub_image_export.publishing.details import PageDetails, check_classes
from hub_image_export.publishing.example import (
  Example,
  check_photo,
  make_example,
)
from hub_image_export.publishing.forms import HUGGINGFACE, TFHUB
from hub_image_export.publishing.module_facts import ModuleFacts, read_module

SUFFIX, PICTURE_SUFFIX = ".md", ".svg"
NETWORK, EXAMPLE = "network" + PICTURE_SUFFIX, "example" + PICTURE_SUFFIX


@dataclasses.dataclass(frozen=True)
class Page:
  """A page, and what belongs beside it.

  Attributes:
    text: Markdown.
    pictures: SVG files, by their names.
  """

  text: str
  pictures: dict[str, bytes]


def write_module_page(
  module: str | os.PathLike[str],
  path: str | os.PathLike[str],
  *,
  format: str = TFHUB,
  example: str | os.PathLike[str] | None = None,
  overwrite: bool = False,
  **details: Any,
) -> None:
  """Writes the documentation of a module, as hubs show it.

      hie.write_module_page(
        "path/to/module",
        "1.md",
        handle="my-lab/flowers/classification/1",
        asset_path="https://example.com/flowers/1.tar.gz",
        license="apache-2.0",
      )

  Sizes, signatures, shapes, classes, and snippets that run as they stand are
  taken from the module on disk. Pictures stand beside the page, under names
  that begin with the page's: `1_network.svg`, the stages of the network, and
  `1_example.svg`.

  Args:
    module: directory of the module.
    path: the page, a Markdown file.
    format: "tfhub", the form of tfhub.dev's pages, which other hubs and web
      servers show as well; or "huggingface", which begins with the metadata
      of Hugging Face's model cards, and needs `huggingface_hub`.
    example: a photo: the page shows the module's best five classes for it, or
      a heat map of an endpoint. It needs `matplotlib`.
    overwrite: replace files that are there.
    **details: the publisher's words; see `PageDetails`. `handle` is needed,
      and `asset_path` for "tfhub"; a classifier's page also needs what the
      module does not say: `class_definition` without labels, `scores` where
      the network did not end in a softmax or sigmoid (C8).

  Raises:
    TypeError, ValueError: details are missing, or of the wrong form; the photo
      cannot be read, or there is nothing to show it to.
    ImportError: what `pip install "hub_image_export[publish]"` installs is
      needed.
    CheckError: the module breaks the contract.
    ExportError: the page exists or cannot be written.
  """
  module = arguments.check_local_path("module", module, "a module's directory")
  path = arguments.check_local_path("path", path, f"a {SUFFIX} file")
  arguments.check_bool("overwrite", overwrite)
  checked = PageDetails.of(format, details)
  check_page_files(path, example, overwrite=overwrite)
  check_extras(checked, example)
  stem = os.path.basename(path).removesuffix(SUFFIX)
  page = make_page(
    read_module(module), checked, module, example, prefix=f"{stem}_"
  )
  folder = os.path.dirname(path)
  for name, content in page.pictures.items():
    _write(os.path.join(folder, name), PICTURE_SUFFIX, content, overwrite)
  _write(path, SUFFIX, page.text.encode(), overwrite)


def check_page_files(
  path: str, example: Any, *, overwrite: bool, name: str = "path"
) -> None:
  """Whether the page and its pictures may be put there.

  Raises:
    ValueError, ExportError: as `check_new_file`.
  """
  check_new_file(path, SUFFIX, overwrite=overwrite, name=name)
  stem = path.removesuffix(SUFFIX)
  for picture in (NETWORK, *([EXAMPLE] if example is not None else [])):
    check_new_file(
      f"{stem}_{picture}", PICTURE_SUFFIX, overwrite=overwrite, name=name
    )


def check_extras(details: PageDetails, example: Any) -> None:
  """Whether the photo can be read, and the libraries are there.

  Raises:
    TypeError, ValueError, ImportError: as `write_module_page`.
  """
  if details.format == HUGGINGFACE:
    front_matter.library()
  if example is not None:
    check_photo(example)


def make_page(
  facts: ModuleFacts,
  details: PageDetails,
  module: str = "",
  example: str | os.PathLike[str] | None = None,
  *,
  prefix: str = "",
  saved_model: bool = False,
) -> Page:
  """The page and its pictures.

  Args:
    facts: of the module.
    details: the publisher's.
    module: its directory, which `example` needs.
    example: a photo.
    prefix: of the pictures' names.
    saved_model: whether the module is published as a TF2 SavedModel, too.

  Raises:
    ValueError: C8 cannot be met, or there is nothing to show of the photo.
  """
  check_classes(
    details, facts.tasks, facts.labels is not None, facts.activation
  )
  pictures = {prefix + NETWORK: network_picture.draw(facts.stages)}
  shown = None
  if example is not None:
    shown = make_example(module, example, facts, details)
    pictures[prefix + EXAMPLE] = shown.picture
  sections = [
    *_head(facts, details, saved_model),
    *_body(facts, details, shown, prefix, saved_model),
  ]
  return Page("\n\n".join(sections) + "\n", pictures)


def _head(
  facts: ModuleFacts, details: PageDetails, saved_model: bool
) -> list[str]:
  if details.format == HUGGINGFACE:
    return [
      front_matter.front_matter(facts, details, saved_model),
      f"# {markdown.text(details.handle)}",
      _description(facts, details),
    ]
  return [
    f"# Module {details.handle}",
    _description(facts, details),
    _metadata(facts, details),
  ]


def _body(
  facts: ModuleFacts,
  details: PageDetails,
  example: Example | None,
  prefix: str,
  saved_model: bool,
) -> list[str]:
  sections = [page_sections.overview(facts)]
  if example is not None:
    sections.append(page_sections.example(example, prefix + EXAMPLE))
  sections += [
    page_sections.network(facts, prefix + NETWORK),
    page_sections.usage(facts, details, saved_model),
    page_sections.outputs(facts),
  ]
  if facts.is_classifier:
    sections.append(page_sections.classes(facts, details))
  if details.results:
    sections.append(page_sections.results(details))
  return [
    *sections,
    page_sections.fine_tuning(facts, details),
    page_sections.compatibility(facts),
  ]


def _write(path: str, suffix: str, content: bytes, overwrite: bool) -> None:
  with new_file(path, suffix, overwrite=overwrite) as file:
    file.write(content)


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
    ("asset-path", details.url),
    ("dataset", details.dataset),
    ("fine-tunable", "true" if facts.trainable_parameters else "false"),
    ("format", "hub"),
    ("language", details.language),
    ("license", details.license),
    ("network-architecture", details.network),
    *(("task", task.replace("_", "-")) for task in facts.tasks),
  ]
  return "\n".join(f"<!-- {key}: {value} -->" for key, value in pairs if value)
