# SPDX-License-Identifier: Apache-2.0
"""The sections of a module page, each from what the module on disk says."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.publishing import markdown, page_code
from hub_image_export.publishing.details import PageDetails
from hub_image_export.publishing.example import Example
from hub_image_export.publishing.module_facts import ModuleFacts

_CONVENTION = "https://www.tensorflow.org/hub/common_signatures/images"
_MAX_LABELS = 100
_MEGABYTE = 1e6
_SCORES = {
  "softmax": "`softmax` over the logits gives probabilities: the classes "
  "exclude each other.",
  "sigmoid": "`sigmoid` of each logit gives the probability of its class: the "
  "classes do not exclude each other.",
  "other": "The logits are meant for neither softmax nor sigmoid; see the "
  "definition of the classes.",
}


def overview(facts: ModuleFacts) -> str:
  height, width = facts.image_size
  size = (
    f"any size; {height}x{width} pixels are expected"
    if facts.variable_size
    else f"{height}x{width} pixels"
  )
  lines = [
    "## Overview",
    "",
    "A module in TF1 Hub format that honours the [common signatures for "
    f"images]({_CONVENTION}).",
    "",
    f"- Input: a batch of RGB images, `float32`, in [0, 1], of {size} (height "
    "by width).",
    *(
      f"- `{task}`: {facts.widths[task]} "
      + ("logits, one a class." if "class" in task else "features.")
      + (" The default." if task == facts.default_task else "")
      for task in facts.tasks
    ),
    f"- Parameters: {facts.parameters:,}; {facts.trainable_parameters:,} of "
    "them can be trained.",
    f"- Size: {_size(facts.num_bytes)} on disk.",
  ]
  if facts.preprocessing is not None:
    lines.append(
      "- What the module itself makes of the pixels x: "
      f"{markdown.text(facts.preprocessing)}."
    )
  return "\n".join(lines)


def _size(num_bytes: int) -> str:
  """Megabytes, as coarse as it takes to be the same on any TensorFlow."""
  size = num_bytes / _MEGABYTE
  return f"{size:.1f} MB" if size >= 1 else "less than 1 MB"


def network(facts: ModuleFacts, picture: str) -> str:
  height, width = facts.image_size
  rows = [
    [
      markdown.code(stage.title) if stage.names else stage.title,
      f"`{stage.shape}`",
      str(stage.layers),
      f"{stage.parameters:,}",
    ]
    for stage in facts.stages.values()
    if stage.parents
  ]
  header = ["up to", "shape", "layers", "parameters"]
  return (
    "## Network\n\n"
    f"{markdown.picture('The stages of the network', picture)}\n\n"
    "A stage ends at a named output, or where the image gets half as large. "
    f"The shapes are those for images of {height}x{width} pixels. Layers are "
    "convolutions and products with matrices, counted along the longest way."
    f"\n\n{markdown.table(header, rows)}"
  )


def example(found: Example, picture: str) -> str:
  text = (
    "## Example\n\n"
    f"{markdown.picture('What the module makes of a photo', picture)}\n\n"
    f"{markdown.text(found.caption)}"
  )
  if not found.scores:
    return text
  rows = [[markdown.text(name), f"{x:.3f}"] for name, x in found.scores]
  return f"{text}\n\n{markdown.table(['class', found.unit], rows)}"


def usage(facts: ModuleFacts, details: PageDetails, saved_model: bool) -> str:
  parts = [
    "## Usage",
    "`photo.jpg` stands for an image of yours. In TF1 graph mode, with "
    "TensorFlow 1.15 to 2.15 and tensorflow-hub up to 0.15:",
    _python(page_code.graph_mode(details.url, facts)),
    "In TensorFlow 2, for inference, with any tensorflow-hub:",
    _python(page_code.eager_mode(details.url, *facts.image_size)),
  ]
  if saved_model:
    parts += [
      "The same module is there as a reusable SavedModel, which TensorFlow 2 "
      "can fine-tune as well:",
      _python(page_code.reusable(details.saved_model_url, facts)),
    ]
  return "\n\n".join(parts)


def _python(lines: list[str]) -> str:
  return markdown.block(lines, "python")


def outputs(facts: ModuleFacts) -> str:
  rows = []
  for task in facts.tasks:
    for key, shape in facts.shapes.items():
      own = f"[?, {facts.widths[task]}]"
      shape = own if key == contract.DEFAULT_OUTPUT else shape
      rows.append([f"`{task}`", markdown.code(key), f"`{shape}`"])
  text = (
    "## Signatures\n\n"
    f"{markdown.table(['signature', 'output', 'shape'], rows)}\n\n"
    f"`default` is `{facts.default_task}`. All of them take `images`."
  )
  if facts.bn_hparams:
    names = " and ".join(
      f"`{contract.bn_hparams_signature(task)}`" for task in facts.tasks
    )
    text += (
      f" {names} also take `{contract.BATCH_NORM_MOMENTUM}`, a scalar: the "
      "decay of batch norm's moving averages while fine-tuning, "
      f"{contract.DEFAULT_BATCH_NORM_MOMENTUM} where it is not given."
    )
  return text


def classes(facts: ModuleFacts, details: PageDetails) -> str:
  width = facts.widths[contract.IMAGE_CLASSIFICATION]
  lines = ["## Classes", ""]
  lines.append(
    f"`outputs[i, c]` is the logit of class `c` for image `i`, for {width} "
    f"classes. {_SCORES[details.scores or facts.activation or 'other']}"
  )
  if details.class_definition:
    lines.append(f"The classes are defined at <{details.class_definition}>.")
  if facts.labels is None:
    return "\n".join(lines)
  lines.append(
    "Their names travel with the module, one a line, in "
    f"`{contract.EXTRA_ASSETS_DIR}/labels.txt`, and as the message "
    f"`{contract.CLASS_LABELS}` attached to it."
  )
  shown = facts.labels[:_MAX_LABELS]
  rows = [[str(i), markdown.text(label)] for i, label in enumerate(shown)]
  lines += ["", markdown.table(["index", "class"], rows)]
  if len(facts.labels) > len(shown):
    lines += ["", f"And {len(facts.labels) - len(shown)} more."]
  return "\n".join(lines)


def results(details: PageDetails) -> str:
  rows = [
    [markdown.text(metric), f"{value:g}"]
    for metric, value in (details.results or {}).items()
  ]
  return (
    f"## Results\n\nMeasured by the publisher on "
    f"{markdown.code(details.dataset or '')}:\n\n"
    f"{markdown.table(['metric', 'value'], rows)}"
  )


def fine_tuning(facts: ModuleFacts, details: PageDetails) -> str:
  if not facts.trainable_parameters:
    return "## Fine-tuning\n\nThe module has no variables to train."
  how = (
    'The variant for training has the tags `{"train"}`: batch norm and dropout '
    "work as they do in training. Run `UPDATE_OPS` with each step"
    if facts.trains
    else "There is one variant, for inference and training alike: no "
    "`tags` are needed"
  )
  code = page_code.fine_tuning(details.url, facts)
  return (
    f"## Fine-tuning\n\n{how}, and add `REGULARIZATION_LOSSES` to the "
    f"loss.\n\n{_python(code)}"
  )


def compatibility(facts: ModuleFacts) -> str:
  oldest = (
    "Oldest TensorFlow: 1.15, which knows all of the module's graph."
    if not facts.too_new
    else f"Oldest TensorFlow: {markdown.text(facts.tensorflow)}, which wrote "
    "the module. 1.15 does not know all of its "
    f"{markdown.text(' and '.join(facts.too_new))}."
  )
  return f"## Compatibility\n\n{oldest}"
