"""Rules about graph variants (F2, F3, C10)."""

from __future__ import annotations

import hashlib

from hub_image_export import contract
from hub_image_export.checker import module as modules
from hub_image_export.checker.report import Findings
from hub_image_export.untrusted.graph import (
  VARIABLE_OPS,
  Graph,
  node_name,
  output_index,
)


def check_variants(module: modules.Module, findings: Findings) -> None:
  _check_tags(module, findings)
  if module.inference is None or module.train is None:
    return
  _check_variables(module.inference, module.train, findings)
  _check_signatures(module.inference, module.train, findings)
  _check_widths(module.inference, module.train, findings)
  _check_penalties(module.inference, module.train, findings)
  _check_train_differs(module.inference, module.train, findings)


def _check_tags(module: modules.Module, findings: Findings) -> None:
  seen = set()
  for variant in module.variants:
    if variant.tags in seen:
      findings.add(
        "unknown-variant",
        variant.where(),
        "Got two graphs with these tags; expected one. Export again.",
      )
    elif variant.tags not in (contract.INFERENCE_TAGS, contract.TRAIN_TAGS):
      findings.add(
        "unknown-variant",
        variant.where(),
        f"Got the tags {sorted(variant.tags)}; expected none (inference) or "
        "['train']. Rename the variant.",
      )
    seen.add(variant.tags)
  if module.inference is None:
    findings.add(
      "no-inference-variant",
      "",
      f"Got the variants {[sorted(v.tags) for v in module.variants]}; "
      "expected one with no tags, which is what hub.Module(path) takes. Add "
      "it.",
    )


def _check_variables(
  inference: modules.Variant, train: modules.Variant, findings: Findings
) -> None:
  """F3; a variable of another shape counts as another variable."""
  for ours, others in ((inference, train), (train, inference)):
    theirs = {(v.key, v.shape, v.dtype) for v in others.variables.values()}
    for v in ours.variables.values():
      if (v.key, v.shape, v.dtype) not in theirs:
        findings.add(
          "variables-differ",
          ours.where(tensor=v.name),
          f"{others.where()} has no variable of this name, shape and type; "
          "expected the same variables in all variants. Create it in both.",
        )


def _check_signatures(
  inference: modules.Variant, train: modules.Variant, findings: Findings
) -> None:
  for ours, others in ((inference, train), (train, inference)):
    for name in ours.image_signatures:
      if name not in others.signatures:
        findings.add(
          "signatures-differ",
          ours.where(name),
          f"{others.where()} has no such signature; expected the same in all "
          "variants. Add it there.",
        )
        continue
      missing = set(ours.signatures[name].outputs) - set(
        others.signatures[name].outputs
      )
      for key in sorted(missing - {contract.DEFAULT_OUTPUT}):
        findings.add(
          "signatures-differ",
          ours.where(name, f'output "{key}"'),
          f"{others.where()} has no such output; expected the same endpoints "
          "in all variants. Add it there.",
        )


def _check_widths(
  inference: modules.Variant, train: modules.Variant, findings: Findings
) -> None:
  for name in inference.image_signatures:
    if name not in train.signatures:
      continue
    ours, theirs = width(inference, name), width(train, name)
    if ours and theirs and ours != theirs:
      findings.add(
        "width-differs",
        train.where(name, contract.DEFAULT_OUTPUT),
        f"Got {theirs} values per image; expected {ours}, as in the inference "
        "variant.",
      )


def width(variant: modules.Variant, signature: str) -> int | None:
  """The width of the output `default`, where it is 2-D and known."""
  outputs = variant.signatures[signature].outputs
  if contract.DEFAULT_OUTPUT not in outputs:
    return None
  shape = modules.dims(outputs[contract.DEFAULT_OUTPUT].tensor_shape)
  return shape[1] if shape is not None and len(shape) == 2 else None


def _check_penalties(
  inference: modules.Variant, train: modules.Variant, findings: Findings
) -> None:
  name = contract.REGULARIZATION_LOSSES
  ours, theirs = len(inference.collection(name)), len(train.collection(name))
  if ours != theirs:
    findings.add(
      "penalties-differ",
      "",
      f"Got {ours} regularization losses in the inference variant and "
      f"{theirs} in the training variant; expected the same in both. Add "
      "every weight penalty to both.",
    )


def _check_train_differs(
  inference: modules.Variant, train: modules.Variant, findings: Findings
) -> None:
  """F2: penalties alone make no training variant."""
  if train.collection(contract.UPDATE_OPS):
    return
  if set(inference.image_signatures) != set(train.image_signatures):
    return
  if _fingerprints(inference) == _fingerprints(train):
    findings.add(
      "train-variant-pointless",
      train.where(),
      "Its outputs are computed exactly as those of the inference variant, "
      "and it has no UPDATE_OPS. Leave the variant out.",
    )


def _fingerprints(variant: modules.Variant) -> dict[tuple[str, str], bytes]:
  known: dict[str, bytes] = {}
  found = {}
  for name in variant.image_signatures:
    for key, info in variant.signatures[name].outputs.items():
      found[name, key] = fingerprint(variant.graph, info.name, known)
  return found


def fingerprint(graph: Graph, tensor: str, known: dict[str, bytes]) -> bytes:
  """A hash of how `tensor` is computed, whatever the nodes are called.

  Names count for variables and nothing else. `known` is filled and reused.
  """
  pending = [(node_name(tensor), False)]
  while pending:
    name, inputs_done = pending.pop()
    if name in known and known[name] != b"cycle":
      continue
    if inputs_done:
      known[name] = _hash_node(graph, name, known)
      continue
    known[name] = b"cycle"
    pending.append((name, True))
    pending += [(i, False) for i in graph.inputs(name) if i not in known]
  return known[node_name(tensor)] + bytes(str(output_index(tensor)), "ascii")


def _hash_node(graph: Graph, name: str, known: dict[str, bytes]) -> bytes:
  digest = hashlib.sha256()
  node = graph.nodes.get(name)
  if node is None:
    return b"missing"
  digest.update(node.op.encode())
  if node.op in VARIABLE_OPS:
    digest.update(name.encode())
  for key in sorted(node.attr):
    if not key.startswith("_") and key not in ("shared_name", "container"):
      digest.update(key.encode())
      digest.update(node.attr[key].SerializeToString(deterministic=True))
  for tensor in node.input:
    digest.update(known.get(node_name(tensor), b"missing"))
    digest.update(f"{tensor[:1] == '^'}{output_index(tensor)}".encode())
  return digest.digest()
