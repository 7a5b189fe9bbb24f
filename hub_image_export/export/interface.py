# SPDX-License-Identifier: Apache-2.0
"""What a module shows to its consumers, beside its outputs."""

from __future__ import annotations

import dataclasses

from google.protobuf import struct_pb2

from hub_image_export import contract
from hub_image_export.sources import preprocessing
from hub_image_export.tensorflow_api.compat import hub


@dataclasses.dataclass(frozen=True)
class Interface:
  """What a module shows to its consumers, beside its outputs.

  Attributes:
    default_task: the task whose signature is the default one (C1, C9).
    height: the expected height of images, in pixels (C16).
    width: likewise.
    variable_size: whether images of other sizes are accepted (C15).
    bn_hparams: whether signatures with hyperparameters are there (H1).
    labels: names of the classes in order, or None.
    preprocessing: what is done to the pixels, for people to read.
  """

  default_task: str
  height: int
  width: int
  variable_size: bool = False
  bn_hparams: bool = False
  labels: tuple[str, ...] | None = None
  preprocessing: str = preprocessing.describe(None)

  @property
  def image_shape(self) -> list[int | None]:
    """Of the input (C14, C15)."""
    return [None, *self.static_size, contract.NUM_CHANNELS]

  @property
  def static_size(self) -> tuple[int | None, int | None]:
    """Height and width, where they do not vary."""
    return (None, None) if self.variable_size else (self.height, self.width)

  def attach(self) -> None:
    """Attaches the size and the labels to the graph of a module (C8, C16)."""
    info = hub.ImageModuleInfo()
    info.default_image_size.height = self.height
    info.default_image_size.width = self.width
    hub.attach_image_module_info(info)
    if self.labels:
      labels = struct_pb2.ListValue()
      labels.extend(self.labels)
      hub.attach_message(contract.CLASS_LABELS, labels)
