# SPDX-License-Identifier: Apache-2.0
"""What a module would be, before it is exported."""

from __future__ import annotations

import dataclasses
from typing import Any

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.tensorflow_api.types import ModuleSpec
from hub_image_export.weights import checkpoint_writer


@dataclasses.dataclass(frozen=True)
class Description:
  """What is known of a spec; `str` gives it as lines of text.

  Attributes:
    source: what was traced.
    image_size: expected height and width in pixels (C16).
    variable_size: whether other sizes are accepted (C15).
    preprocessing: what is done to RGB in [0, 1] (C12).
    default_task: what `default` serves (C9).
    activations: what was taken off the classifier's end, by task (C7).
    variants: with the oldest TensorFlow for each.
    needs_newer: why that is not 1.15, by variant.
    signatures: from signature to outputs, from output to its shape.
    num_parameters: how many numbers the variables hold.
    num_labels: of the names of the classes; 0 if there are none (C8).
    layers: the Keras layers that could be `feature_layer` or among the
      `endpoints`, with the shapes of their outputs, in the order of calls.
  """

  source: str
  image_size: tuple[int, int]
  variable_size: bool
  preprocessing: str
  default_task: str
  activations: dict[str, str]
  variants: dict[str, str]
  needs_newer: dict[str, list[str]]
  signatures: dict[str, dict[str, str]]
  num_parameters: int
  num_labels: int
  layers: dict[str, str]

  @classmethod
  def of(cls, spec: ModuleSpec) -> Description:
    """Of an `ImageModuleSpec`."""
    function, interface = spec.function, spec.interface
    return cls(
      source=function.name,
      image_size=(interface.height, interface.width),
      variable_size=interface.variable_size,
      preprocessing=interface.preprocessing,
      default_task=interface.default_task,
      activations=dict(function.inference.activations),
      variants={v.name: v.oldest_tensorflow for v in function.variants},
      needs_newer={
        v.name: list(v.needs_newer) for v in function.variants if v.needs_newer
      },
      signatures=signatures_of(spec),
      num_parameters=checkpoint_writer.parameter_count(function.variables),
      num_labels=len(interface.labels or ()),
      layers=dict(function.layer_shapes),
    )

  def to_json(self) -> dict[str, Any]:
    """The description as JSON values (not as text)."""
    return dataclasses.asdict(self)

  def __str__(self) -> str:
    height, width = self.image_size
    sizes = "any size, expected" if self.variable_size else "size"
    lines = [
      f"Source:     {self.source} ({self.num_parameters:,} parameters)",
      f"Images:     RGB in [{contract.PIXEL_MIN:g}, {contract.PIXEL_MAX:g}], "
      f"{sizes} {height}x{width}",
      f"The network gets: {self.preprocessing} ({called('preprocess')})",
      "Variants:   "
      + ", ".join(f"{k} (TF >= {v})" for k, v in self.variants.items()),
      *(
        f"  {k}: {reason}" for k, v in self.needs_newer.items() for reason in v
      ),
      f"Signatures (default is {self.default_task}):",
      *(
        f"  {name}: {outputs[contract.DEFAULT_OUTPUT]}"
        for name, outputs in self.signatures.items()
      ),
      *(
        f"Taken off:  {end}, of {task}"
        for task, end in self.activations.items()
      ),
    ]
    endpoints = dict(self.signatures[contract.DEFAULT_SIGNATURE])
    del endpoints[contract.DEFAULT_OUTPUT]
    if endpoints:
      lines.append("Endpoints, in each signature:")
      lines += [f"  {key}: {shape}" for key, shape in endpoints.items()]
    if self.num_labels:
      lines.append(f"Labels:     {self.num_labels}")
    if self.layers:
      lines.append(
        f"Layers, for {called('feature_layer')} and {called('endpoints')}:"
      )
      lines += [f"  {name}: {shape}" for name, shape in self.layers.items()]
    return "\n".join(lines)


def signatures_of(spec: ModuleSpec) -> dict[str, dict[str, str]]:
  """Shapes as text, by signature and output."""
  return {
    name: {
      key: f"{info.dtype.name}{info.get_shape()}".replace("None", "?")
      for key, info in sorted(spec.get_output_info_dict(name).items())
    }
    for name in sorted(spec.get_signature_names())
  }
