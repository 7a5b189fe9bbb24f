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

_TABLE = """
# Files
not-a-module  error  F1
  The path is missing or holds no TF1 Hub module.
unsafe-archive  error  F1
  Links, `..`, absolute names, devices in an archive; or a bomb.
missing-module-def  error  F1
  `tfhub_module.pb` is missing: `hub.Module` refuses the directory.
corrupt-file  error  F1
  A file of the module cannot be read, or is damaged.
missing-variables  error  F3
  A variant has variables that the checkpoint does not restore.
missing-asset  error  F1
  The graph names an asset that is not in `assets/`.
unexpected-file  error  F1
  No part of the format (a warning for an unused asset).
not-hermetic  error  F5
  It needs files, Python, processes (a warning for dead nodes).
refused-collection  error  F1
  A graph collection that tensorflow_hub refuses to load.
manifest-differs  error  F6
  The module is not what its manifest says (if it has one).
# Variants
no-inference-variant  error  F2
  No graph variant has the empty tag set.
unknown-variant  error  F2
  A tag set other than the empty one and {train}, or one of them twice.
variables-differ  error  F3
  The variants do not have the same variables.
width-differs  error  C3, C6
  An output has another width in another variant or signature.
signatures-differ  error  C10, H1
  A signature or an endpoint exists in one variant only.
train-variant-pointless  error  F2
  The training graph computes the same and updates nothing.
# Signatures
no-default-signature  error  C1
  There is no signature `default`.
no-task-signature  error  C1, C2, C6
  No signature has a task's name (a warning for a misspelt second one).
default-differs  error  C9, C10
  `default` is not one of the task signatures.
extra-input  error  C2, C6, H1
  A signature takes more than `images` (and its momentum, H1).
# Image input
images-missing  error  C13
  A signature has no input `images`.
images-dtype  error  C12
  `images` is not float32.
images-rank  error  C12
  `images` is not 4-D.
images-sparse  error  C12
  `images` is not a dense tensor.
images-batch-fixed  error  C14
  The batch size of `images` is fixed.
images-channels  error  C14
  The last dimension of `images` is not 3.
channels-first  error  C17
  `images` is NCHW (a warning for NCHW inside the graph).
image-size-unknown  error  C15, C16
  `hub.get_expected_image_size` fails.
image-size-differs  error  C15, C16
  The reported image size is not that of the `images` input.
# Outputs
output-missing  error  C3, C6
  A signature has no output `default`.
output-dtype  error  C3, C6
  The output `default` is not a dense float32 tensor.
output-rank  error  C3, C4, C6
  The output `default` is not `[batch_size, width]`.
output-batch-fixed  error  C3, C6
  The batch size of the output `default` is fixed.
output-width-unknown  error  C3, C6
  The width of the output `default` is no constant.
endpoint-unprefixed  warning  C10
  The key of an endpoint lacks the architecture's name.
probabilities  error  C7
  A classifier gives probabilities instead of logits.
dropout-on-output  error  C5
  Dropout is applied to an output.
# Behaviour
unloadable  error  F1
  tensorflow_hub cannot load the module, or it cannot be run.
not-finite  error  C3, C6
  NaN or infinity among the outputs or the weights.
not-deterministic  error  F2
  The inference variant answers one input differently each time.
batch-dependent  error  C14
  The answer to an image depends on its batch.
size-dependent  error  C3, C15
  Another image size fails, or changes the width.
input-ignored  error  C4
  Two very different images get the same answer.
range-suspicious  warning  C12
  The module seems to want pixels in another range than [0, 1].
golden-differs  error  F6
  It answers its golden example otherwise than when it was made.
# Fine-tuning
no-update-ops  error  F4
  A moving average or an assignment that no UPDATE_OPS entry reaches.
update-ops-dead  error  F4
  UPDATE_OPS run and nothing moves.
updates-without-asking  error  F4
  Evaluating the outputs alone changes variables.
unfed-placeholder  error  F4
  Something that consumers run needs a placeholder that nobody feeds.
not-differentiable  error  F5
  No gradients, or the author's only (an info for a variable).
no-trainable-variables  warning  F4
  The module has variables, and none is trainable.
penalties-differ  warning  F4
  The variants differ in their number of regularization losses.
bn-hparams-dead  error  H1
  `batch_norm_momentum` is ill-formed or steers nothing.
# Portability
oldest-tensorflow  info  F5
  Whether TensorFlow 1.15 loads a variant (a warning where it does not).
device-pinned  warning  F5
  Nodes are placed on a device that a consumer may not have.
unchecked  warning  -
  A part of the check could not be carried out.
"""


@dataclasses.dataclass(frozen=True)
class Rule:
  """One question to a module; `severity` is that of most of its findings."""

  name: str
  severity: str
  requirement: str
  summary: str


def _parsed(table: str) -> dict[str, list[Rule]]:
  """Rules by the title of their group."""
  groups: dict[str, list[Rule]] = {}
  lines = iter(table.strip().split("\n"))
  for line in lines:
    if line.startswith("# "):
      group = groups.setdefault(line[2:], [])
    else:
      name, severity, requirement = line.split("  ")
      group.append(Rule(name, severity, requirement, next(lines).strip()))
  return groups


GROUPS = _parsed(_TABLE)
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
