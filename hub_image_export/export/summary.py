# SPDX-License-Identifier: Apache-2.0
"""What an export did, for people and for programs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from hub_image_export import contract, notebook, progress
from hub_image_export.checker import Report
from hub_image_export.export.comparison import Difference
from hub_image_export.export.description import signatures_of
from hub_image_export.export.formats import Format
from hub_image_export.files.listing import directory_size
from hub_image_export.tensorflow_api.types import ModuleSpec
from hub_image_export.weights import checkpoint_writer as weights

_MEGABYTE = 1e6


@dataclasses.dataclass
class Summary:
  """The result of an export; `str` gives it as a few lines of text.

  Attributes:
    format: "hub" for the TF1 Hub format, or "saved_model".
    path: the module's directory.
    verified: whether its outputs were compared with the source's.
    differences: from the source, of all that was compared.
    notes: what was not compared, or not as usual, and why.
    report: what `check_module` said; None if it was not asked.
    seconds: by phase of the export; on the command line, all of them.
    archive: path of the archive, if one was written.
    archive_sha256: of its bytes, as hexadecimal digits.
    published: path of the folder to upload, if one was written.
    upload: commands that upload it.
    page: path of the documentation, if it was written.
    num_bytes: size of the module on disk.
    num_parameters: how many numbers the variables hold.
    image_size: expected height and width in pixels (C16).
    variants: "inference", and "train" where there is one, with the oldest
      TensorFlow for each.
    fine_tuned_from: the oldest TensorFlow that fine-tunes the last of them.
    signatures: from signature to outputs, from output to its shape.
  """

  image_size: tuple[int, int]
  variants: dict[str, str]
  signatures: dict[str, dict[str, str]]
  num_parameters: int
  format: str = "hub"
  fine_tuned_from: str = ""
  path: str = ""
  archive: str = ""
  archive_sha256: str = ""
  published: str = ""
  upload: list[str] = dataclasses.field(default_factory=list)
  page: str = ""
  report: Report | None = None
  verified: bool = False
  num_bytes: int = 0
  differences: list[Difference] = dataclasses.field(default_factory=list)
  notes: list[str] = dataclasses.field(default_factory=list)
  seconds: dict[str, float] = dataclasses.field(default_factory=dict)

  @classmethod
  def start(cls, spec: ModuleSpec, module_format: Format) -> Summary:
    """A summary of what is about to be written, an `ImageModuleSpec`."""
    return cls(
      format=module_format.name,
      image_size=(spec.interface.height, spec.interface.width),
      variants=module_format.oldest_tensorflow(spec),
      signatures=module_format.signatures(signatures_of(spec)),
      num_parameters=weights.parameter_count(spec.function.variables),
      fine_tuned_from=spec.function.variants[-1].fine_tuned_from,
    )

  @contextlib.contextmanager
  def phase(self, name: str) -> Iterator[None]:
    """Measures the seconds of a phase."""
    with progress.timed(self.seconds, name):
      yield

  def finish(self, path: str, staged: str, verified: bool) -> None:
    self.path, self.verified = path, verified
    self.num_bytes = directory_size(staged)
    if self.report is not None:  # It was checked where it was staged.
      self.report = dataclasses.replace(self.report, path=path)

  def to_json(self) -> dict[str, Any]:
    """The summary as JSON values (not as text), by its attributes' names."""
    return dataclasses.asdict(self)

  def _repr_html_(self) -> str:
    return notebook.as_html(f"Summary of {self.path}", str(self))

  def __str__(self) -> str:
    height, width = self.image_size
    lines = [
      f"Module:     {self.path} ({self.num_bytes / _MEGABYTE:.1f} MB, "
      f"{self.num_parameters:,} parameters)",
      f"Images:     {height}x{width} RGB in "
      f"[{contract.PIXEL_MIN:g}, {contract.PIXEL_MAX:g}]",
      "Variants:   "
      + ", ".join(f"{k} (TF >= {v})" for k, v in self.variants.items())
      + self._fine_tuning(),
      "Signatures:",
      *(
        f"  {name}: {outputs[contract.DEFAULT_OUTPUT]}"
        for name, outputs in self.signatures.items()
      ),
    ]
    endpoints = dict(self.signatures[contract.DEFAULT_SIGNATURE])
    del endpoints[contract.DEFAULT_OUTPUT]
    if endpoints:
      lines.append("Endpoints, in each signature:")
      lines.extend(f"  {key}: {shape}" for key, shape in endpoints.items())
    lines.append(f"Verified:   {self._verdict()}")
    if self.report is not None:
      lines.append(f"Checked:    {self._findings(self.report)}")
    if self.archive:
      lines.append(f"Archive:    {self.archive}")
      lines.append(f"SHA-256:    {self.archive_sha256} (of the archive)")
    if self.published:
      lines.append(f"Published:  {self.published}, a folder to upload:")
      lines.extend(f"  {command}" for command in self.upload)
    if self.page:
      lines.append(f"Page:       {self.page}")
    phases = ", ".join(f"{k} {v:.1f}" for k, v in self.seconds.items())
    lines.append(f"Seconds:    {sum(self.seconds.values()):.1f} ({phases})")
    return "\n".join(lines)

  def _fine_tuning(self) -> str:
    """What more that takes than the last variant alone."""
    if self.fine_tuned_from in ("", *list(self.variants.values())[-1:]):
      return ""
    return f"; fine-tuning TF >= {self.fine_tuned_from}"

  def _verdict(self) -> str:
    """For each variant what was compared, and the largest difference."""
    if not self.verified:
      return "no"
    compared: dict[tuple[str, str], list[Difference]] = {}
    for difference in self.differences:
      key = difference.variant, difference.kind
      compared.setdefault(key, []).append(difference)
    lines = ["yes, against the source run anew; largest differences:"]
    for (variant, kind), differences in compared.items():
      worst = max(differences, key=lambda d: d.relative)
      lines.append(
        f"  {variant}: {len(differences)} x {kind}, {worst.absolute:.2g} "
        f"(absolute), {worst.relative:.2g} of the scale of {worst.name or kind}"
      )
    lines += [f"  Note: {note}" for note in self.notes]
    return "\n".join(lines)

  def _findings(self, report: Report) -> str:
    warnings = report.warnings
    if not warnings:
      return "conforms to the contract"
    return f"conforms, with {len(warnings)} warnings:" + "".join(
      f"\n  {w.rule} ({w.where}): {w.message}" for w in warnings
    )
