"""The table of rules: name, usual severity, requirement, what it finds.

Names are stable: consumers filter reports by them. `docs/rules.md` is made
from this table. The numbers are those of `docs/contract.md`.
"""

from __future__ import annotations

import dataclasses

ERROR = "error"
WARNING = "warning"
INFO = "info"
SEVERITIES = (ERROR, WARNING, INFO)


@dataclasses.dataclass(frozen=True)
class Rule:
  """One question to a module; `severity` is that of most of its findings."""

  name: str
  severity: str
  requirement: str
  summary: str


# By the title of the group.
# fmt: off
GROUPS: dict[str, list[Rule]] = {
  "Files": [
    Rule("not-a-module", ERROR, "F1",
      "The path is missing or holds no TF1 Hub module."),
    Rule("unsafe-archive", ERROR, "F1",
      "Links, `..`, absolute names, devices in an archive; or a bomb."),
    Rule("missing-module-def", ERROR, "F1",
      "`tfhub_module.pb` is missing: `hub.Module` refuses the directory."),
    Rule("corrupt-file", ERROR, "F1",
      "A file of the module cannot be read, or is damaged."),
    Rule("missing-variables", ERROR, "F3",
      "A variant has variables that the checkpoint does not restore."),
    Rule("missing-asset", ERROR, "F1",
      "The graph names an asset that is not in `assets/`."),
    Rule("unexpected-file", ERROR, "F1",
      "No part of the format (a warning for an unused asset)."),
    Rule("not-hermetic", ERROR, "F5",
      "It needs files, Python, processes (a warning for dead nodes)."),
    Rule("refused-collection", ERROR, "F1",
      "A graph collection that tensorflow_hub refuses to load."),
    Rule("manifest-differs", ERROR, "F6",
      "The module is not what its manifest says (if it has one)."),
  ],
  "Variants": [
    Rule("no-inference-variant", ERROR, "F2",
      "No graph variant has the empty tag set."),
    Rule("unknown-variant", ERROR, "F2",
      "A tag set other than the empty one and {train}, or one of them twice."),
    Rule("variables-differ", ERROR, "F3",
      "The variants do not have the same variables."),
    Rule("width-differs", ERROR, "C3, C6",
      "An output has another width in another variant or signature."),
    Rule("signatures-differ", ERROR, "C10, H1",
      "A signature or an endpoint exists in one variant only."),
    Rule("train-variant-pointless", ERROR, "F2",
      "The training graph computes the same and updates nothing."),
  ],
  "Signatures": [
    Rule("no-default-signature", ERROR, "C1",
      "There is no signature `default`."),
    Rule("no-task-signature", ERROR, "C1, C2, C6",
      "No signature has a task's name (a warning for a misspelt second one)."),
    Rule("default-differs", ERROR, "C9, C10",
      "`default` is not one of the task signatures."),
    Rule("extra-input", ERROR, "C2, C6, H1",
      "A signature takes more than `images` (and its momentum, H1)."),
  ],
  "Image input": [
    Rule("images-missing", ERROR, "C13",
      "A signature has no input `images`."),
    Rule("images-dtype", ERROR, "C12",
      "`images` is not float32."),
    Rule("images-rank", ERROR, "C12",
      "`images` is not 4-D."),
    Rule("images-sparse", ERROR, "C12",
      "`images` is not a dense tensor."),
    Rule("images-batch-fixed", ERROR, "C14",
      "The batch size of `images` is fixed."),
    Rule("images-channels", ERROR, "C14",
      "The last dimension of `images` is not 3."),
    Rule("channels-first", ERROR, "C17",
      "`images` is NCHW (a warning for NCHW inside the graph)."),
    Rule("image-size-unknown", ERROR, "C15, C16",
      "`hub.get_expected_image_size` fails."),
    Rule("image-size-differs", ERROR, "C15, C16",
      "The reported image size is not that of the `images` input."),
  ],
  "Outputs": [
    Rule("output-missing", ERROR, "C3, C6",
      "A signature has no output `default`."),
    Rule("output-dtype", ERROR, "C3, C6",
      "The output `default` is not a dense float32 tensor."),
    Rule("output-rank", ERROR, "C3, C4, C6",
      "The output `default` is not `[batch_size, width]`."),
    Rule("output-batch-fixed", ERROR, "C3, C6",
      "The batch size of the output `default` is fixed."),
    Rule("output-width-unknown", ERROR, "C3, C6",
      "The width of the output `default` is no constant."),
    Rule("endpoint-unprefixed", WARNING, "C10",
      "The key of an endpoint lacks the architecture's name."),
    Rule("probabilities", ERROR, "C7",
      "A classifier gives probabilities instead of logits."),
    Rule("dropout-on-output", ERROR, "C5",
      "Dropout is applied to an output."),
  ],
  "Behaviour": [
    Rule("unloadable", ERROR, "F1",
      "tensorflow_hub cannot load the module, or it cannot be run."),
    Rule("not-finite", ERROR, "C3, C6",
      "NaN or infinity among the outputs or the weights."),
    Rule("not-deterministic", ERROR, "F2",
      "The inference variant answers one input differently each time."),
    Rule("batch-dependent", ERROR, "C14",
      "The answer to an image depends on its batch."),
    Rule("size-dependent", ERROR, "C3, C15",
      "Another image size fails, or changes the width."),
    Rule("input-ignored", ERROR, "C4",
      "Two very different images get the same answer."),
    Rule("range-suspicious", WARNING, "C12",
      "The module seems to want pixels in another range than [0, 1]."),
    Rule("golden-differs", ERROR, "F6",
      "It answers its golden example otherwise than when it was made."),
  ],
  "Fine-tuning": [
    Rule("no-update-ops", ERROR, "F4",
      "A moving average or an assignment that no UPDATE_OPS entry reaches."),
    Rule("update-ops-dead", ERROR, "F4",
      "UPDATE_OPS run and nothing moves."),
    Rule("updates-without-asking", ERROR, "F4",
      "Evaluating the outputs alone changes variables."),
    Rule("unfed-placeholder", ERROR, "F4",
      "Something that consumers run needs a placeholder that nobody feeds."),
    Rule("not-differentiable", ERROR, "F5",
      "No gradients, or the author's only (an info for a variable)."),
    Rule("no-trainable-variables", WARNING, "F4",
      "The module has variables, and none is trainable."),
    Rule("penalties-differ", WARNING, "F4",
      "The variants differ in their number of regularization losses."),
    Rule("bn-hparams-dead", ERROR, "H1",
      "`batch_norm_momentum` is ill-formed or steers nothing."),
  ],
  "Portability": [
    Rule("oldest-tensorflow", INFO, "F5",
      "Whether TensorFlow 1.15 loads a variant (a warning where it does not)."),
    Rule("device-pinned", WARNING, "F5",
      "Nodes are placed on a device that a consumer may not have."),
    Rule("unchecked", WARNING, "-",
      "A part of the check could not be carried out."),
  ],
}
# fmt: on
RULES = {rule.name: rule for group in GROUPS.values() for rule in group}


def as_markdown() -> str:
  """The tables of `docs/rules.md`."""
  lines = []
  for title, group in GROUPS.items():
    lines += [f"### {title}", ""]
    lines += ["| rule | severity | requirement | finds |", "|---|---|---|---|"]
    lines += [
      f"| `{rule.name}` | {rule.severity} | {rule.requirement} "
      f"| {rule.summary} |"
      for rule in group
    ]
    lines.append("")
  return "\n".join(lines)
