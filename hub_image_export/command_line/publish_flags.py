# SPDX-License-Identifier: Apache-2.0
"""The flags of `export_module` that publish; imports no TensorFlow for help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from hub_image_export import arguments, contract
from hub_image_export.files import new_file
from hub_image_export.publishing import archive
from hub_image_export.publishing.details import PageDetails, check_classes
from hub_image_export.publishing.forms import FORMATS, SCORES, TFHUB

_HUB = "hub"  # One of --format.
_DETAILS = {
  "handle": "For the page, required: publisher/name/version of the module; on "
  "Hugging Face, publisher/name is the repository.",
  "asset_path": "For the page, required but for Hugging Face: the URL (https "
  "or gs) from which consumers get the archive, ending in .tar.gz.",
  "description": "For the page: one paragraph of plain text.",
  "license": "For the page: an identifier such as apache-2.0.",
  "network": "For the page: the architecture's, such as mobilenet-v2.",
  "dataset": "For the page: the training data's, such as cifar-10.",
  "scores": "For the page of a classifier that does not end in softmax or "
  f"sigmoid: what its logits are meant for, {', '.join(SCORES)}.",
  "class_definition": "For the page of a classifier: the URL of a page that "
  "defines the class indices; required without --labels.",
  "language": "For the page: the labels', such as en.",
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
    self._publish_dir = string(
      "publish_dir",
      "Also write this folder, to be uploaded as it is: archive, page, "
      "pictures, labels, manifest, and the check's report.",
    )
    self._page_format = flags.DEFINE_enum(
      "page_format",
      TFHUB,
      FORMATS,
      "Where the page is for: huggingface, with the metadata of its model "
      "cards, or tfhub, for other hubs and web servers.",
      flag_values=flag_values,
    )
    self._example = string(
      "example", "For the page: a photo, to show what the module makes of it."
    )
    self._details = {n: string(n, text) for n, text in _DETAILS.items()}
    self._results = flags.DEFINE_list(
      "results",
      None,
      "For the page: what was measured on --dataset, such as accuracy=0.97.",
      flag_values=flag_values,
    )

  @property
  def _has_page(self) -> bool:
    return bool(self._page.value or self._publish_dir.value)

  def check(self, overwrite: bool, formats: Sequence[str] = (_HUB,)) -> None:
    """Raises what is wrong in any case, before anything is written.

    Args:
      overwrite: whether files may be replaced.
      formats: of the modules that are exported, as --format names them.
    """
    if self._archive.value and len(formats) > 1:
      raise ValueError(
        f"--archive is of one module, and --format asks for {len(formats)}: "
        "export one format at a time, or give --publish_dir"
      )
    for published in (self._page, self._publish_dir):
      if published.value and _HUB not in formats:
        raise ValueError(
          f"--{published.name} describes a TF1 Hub module, and --format asks "
          f"for {formats[0]} alone: expected --format={_HUB},{formats[0]}"
        )
    if self._archive.value:
      what = f"a {archive.SUFFIX} file"
      path = arguments.check_local_path("--archive", self._archive.value, what)
      new_file.check_new_file(
        path, archive.SUFFIX, overwrite=overwrite, name="--archive"
      )
    if self._has_page:
      self._check_page(overwrite)
      return
    flags_of_page = {**self._details, "example": self._example}
    given = [
      f"--{name}={arguments.shown(flag.value)}"
      for name, flag in {**flags_of_page, "results": self._results}.items()
      if flag.value
    ]
    if given:
      raise ValueError(
        f"{' and '.join(given)} given without --page or --publish_dir: "
        "expected where to, as in --page=1.md"
      )

  def _check_page(self, overwrite: bool) -> None:
    from hub_image_export.publishing import module_page, publish_dir

    example = self._example.value
    if self._page.value:
      what = f"a {module_page.SUFFIX} file"
      path = arguments.check_local_path("--page", self._page.value, what)
      module_page.check_page_files(
        path, example, overwrite=overwrite, name="--page"
      )
    details = self._page_details()
    if self._publish_dir.value:
      publish_dir.check_publish_dir(
        self._publish_dir.value,
        details,
        overwrite=overwrite,
        name="--publish_dir",
      )
    module_page.check_extras(details, example)

  def check_spec(self, spec: Any) -> None:
    """Raises ValueError if the page cannot say what it has to (C8)."""
    if not self._has_page:
      return
    inference = spec.function.inference
    tasks = tuple(inference.tasks)
    check_classes(
      self._page_details(),
      tasks,
      spec.interface.labels is not None,
      inference.activations.get(contract.IMAGE_CLASSIFICATION),
    )
    if self._example.value and contract.IMAGE_CLASSIFICATION not in tasks:
      from hub_image_export.publishing import example

      outputs = spec.get_output_info_dict(contract.DEFAULT_SIGNATURE)
      example.check_endpoints(
        [info.get_shape().rank for info in outputs.values()]
      )

  def publish(self, summaries: Sequence[Any], overwrite: bool) -> None:
    """Writes what is asked for of the exported modules, a TF1 Hub one first."""
    summary, *others = summaries
    if self._archive.value:
      summary.archive = self._archive.value
      summary.archive_sha256 = archive.write_archive(
        summary.path, summary.archive, overwrite=overwrite
      )
    if self._has_page:
      self._publish_page(summary, others, overwrite)

  def _publish_page(
    self, summary: Any, others: Sequence[Any], overwrite: bool
  ) -> None:
    from hub_image_export.publishing.module_page import write_module_page
    from hub_image_export.publishing.publish_dir import write_publish_dir

    page: dict[str, Any] = {
      "format": self._page_format.value,
      "example": self._example.value,
      "overwrite": overwrite,
      **self._given_details(),
    }
    if self._page.value:
      write_module_page(summary.path, self._page.value, **page)
      summary.page = self._page.value
    if self._publish_dir.value:
      summary.published = self._publish_dir.value
      summary.upload = write_publish_dir(
        summary.path,
        summary.published,
        saved_model=others[0].path if others else None,
        report=summary.report,
        **page,
      )

  def _page_details(self) -> PageDetails:
    details = self._given_details()
    for name in ("handle", "asset_path"):
      if name not in details and (
        name == "handle" or self._page_format.value == TFHUB
      ):
        raise ValueError(
          f"--{name} is missing: expected with --page and --publish_dir. "
          f"{_DETAILS[name]}"
        )
    return PageDetails.of(self._page_format.value, details)

  def _given_details(self) -> dict[str, Any]:
    details: dict[str, Any] = {
      name: flag.value for name, flag in self._details.items() if flag.value
    }
    if self._results.value:
      details["results"] = dict(map(_result, self._results.value))
    return details


def _result(text: str) -> tuple[str, float]:
  """Of `accuracy=0.97`."""
  metric, _, value = text.partition("=")
  try:
    return metric, float(value)
  except ValueError:
    raise arguments.wrong_value(
      "--results", text, "metric=number, as in accuracy=0.97"
    ) from None
