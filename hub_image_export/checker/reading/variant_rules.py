# SPDX-License-Identifier: Apache-2.0
"""Rules about graph variants (F2, F3, C10)."""

from __future__ import annotations

from hub_image_export import contract
from hub_image_export.checker.judged import (
  JudgedModule,
  JudgedSignature,
  JudgedVariant,
)
from hub_image_export.checker.report import Found


def check_variants(module: JudgedModule) -> Found:
  yield from _check_tags(module)
  inference, train = module.inference, module.train
  if inference is None or train is None:
    return
  for ours, theirs in ((inference, train), (train, inference)):
    yield from _check_variables(ours, theirs)
    yield from _check_trainable(ours, theirs)
    for signature in ours.image_signatures:
      yield from _check_signature(signature, theirs)
  yield from _check_same_weights(inference, train)
  yield from _check_widths_and_penalties(inference, train)
  if not train.collection(contract.UPDATE_OPS) and (
    _fingerprints(inference) == _fingerprints(train)
  ):
    # F2; penalties alone make no training variant.
    text = (
      "Its outputs are computed exactly as those of the inference variant, "
      "and it has no UPDATE_OPS. Leave the variant out."
    )
    yield "train-variant-pointless", train.where(), text


def _check_tags(module: JudgedModule) -> Found:
  seen = set()
  for variant in module.variants:
    text = None
    if variant.tags in seen:
      text = "Got two graphs with these tags; expected one. Export again."
    elif variant.tags not in (contract.INFERENCE_TAGS, contract.TRAIN_TAGS):
      text = (
        f"Got the tags {sorted(variant.tags)}; expected none (inference) or "
        "['train']. Rename the variant."
      )
    if text:
      yield "unknown-variant", variant.where(), text
    seen.add(variant.tags)
  if module.inference is None:
    text = (
      f"Got the variants {[sorted(v.tags) for v in module.variants]}; "
      "expected one with no tags, which is what hub.Module(path) takes. Add "
      "it."
    )
    yield "no-inference-variant", "", text


def _check_variables(ours: JudgedVariant, theirs: JudgedVariant) -> Found:
  """F3; a variable of another shape counts as another variable."""
  text = (
    f"{theirs.where()} has no variable of this name, shape and type; expected "
    "the same variables in all variants. Create it in both."
  )
  known = {(v.key, v.shape, v.dtype) for v in theirs.variables.values()}
  for v in ours.variables.values():
    if (v.key, v.shape, v.dtype) not in known:
      yield "variables-differ", ours.where(v.name), text


def _check_trainable(ours: JudgedVariant, theirs: JudgedVariant) -> Found:
  here, there = set(ours.trainable), set(theirs.trainable)
  more = sorted(here & theirs.variables.keys() - there)
  if more:
    text = (
      f"It is in TRAINABLE_VARIABLES{_and_more(more)}, and outside of them in "
      f"{theirs.where()}; expected the same in all variants, so that "
      "consumers fine-tune the same weights. Let them be equal."
    )
    yield "trainable-differ", ours.where(more[0]), text


def _check_same_weights(
  inference: JudgedVariant, train: JudgedVariant
) -> Found:
  """Fine-tuning moves the weights that inference computes with.

  There may be more that training alone uses, for auxiliary heads.
  """
  # What training assigns to is another rule's.
  moved = {v for names in train.state_changes.values() for v in names}
  weights = set(inference.trainable) & train.variables.keys() - moved
  left: set[str] = set()
  for signature in train.image_signatures:
    other = inference.signatures.get(signature.name)
    if other is not None and other.tensor and signature.tensor:
      behind = inference.graph.ancestors([other.tensor])
      left |= (behind & weights) - train.graph.ancestors([signature.tensor])
  if left:
    names = sorted(left)
    text = (
      f"Inference computes with it{_and_more(names)}, and the training "
      "variant does not; expected the same weights in both, so that consumers "
      "fine-tune what they use. Share them."
    )
    yield "trainable-differ", train.where(names[0]), text


def _and_more(names: list[str]) -> str:
  return f", like {len(names) - 1} more" if len(names) > 1 else ""


def _check_signature(ours: JudgedSignature, variant: JudgedVariant) -> Found:
  """The other `variant` has this signature, and its outputs."""
  theirs = variant.signatures.get(ours.name)
  if theirs is None:
    text = (
      f"{variant.where()} has no such signature; expected the same in all "
      "variants. Add it there."
    )
    yield "signatures-differ", ours.where(), text
    return
  text = (
    f"{variant.where()} has no such output; expected the same endpoints in "
    "all variants. Add it there."
  )
  missing = set(ours.outputs) - set(theirs.outputs) - {contract.DEFAULT_OUTPUT}
  for key in sorted(missing):
    yield "signatures-differ", ours.where(f'output "{key}"'), text


def _check_widths_and_penalties(
  inference: JudgedVariant, train: JudgedVariant
) -> Found:
  for signature in train.image_signatures:
    other = inference.signatures.get(signature.name)
    ours, theirs = other.width if other else None, signature.width
    if ours and theirs and ours != theirs:
      text = (
        f"Got {theirs} values per image; expected {ours}, as in the inference "
        "variant."
      )
      yield "width-differs", signature.where(contract.DEFAULT_OUTPUT), text
  here, there = (
    len(variant.collection(contract.REGULARIZATION_LOSSES))
    for variant in (inference, train)
  )
  if here != there:
    text = (
      f"Got {here} regularization losses in the inference variant and {there} "
      "in the training variant; expected the same in both. Add every weight "
      "penalty to both."
    )
    yield "penalties-differ", "", text


def _fingerprints(variant: JudgedVariant) -> dict[str, dict[str, bytes]]:
  """By signature and output."""
  return {
    signature.name: {
      key: variant.fingerprint(info.name)
      for key, info in signature.outputs.items()
    }
    for signature in variant.image_signatures
  }
