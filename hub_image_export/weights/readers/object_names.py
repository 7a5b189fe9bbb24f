# SPDX-License-Identifier: Apache-2.0
"""Names of variables in object-based checkpoints.

Such a checkpoint knows each value by the way through the user's objects
(`model/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE`). The graph of
these objects, stored along, has the names that the variables had.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable

from hub_image_export.tensorflow_api.protos import TrackableObjectGraph

_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_VALUE = "VARIABLE_VALUE"
_BOOKKEEPING = ("optimizer", "save_counter", "keras_api")


@dataclasses.dataclass(frozen=True)
class ObjectNames:
  """Attributes: see `NamedValues`; `keys` are those of the checkpoint."""

  keys: dict[str, str]
  aliases: dict[str, str]
  bookkeeping: frozenset[str]


def names_of(
  serialized: bytes,
  present: set[str],
  all_equal: Callable[[list[str]], bool],
) -> ObjectNames:
  """Names the values of an object-based checkpoint.

  A value is called as its variable was, where that is unique in the
  checkpoint, and else by the way to it, which is an alias in any case.

  Args:
    serialized: the graph of objects.
    present: the keys that the checkpoint has values for.
    all_equal: whether the values of these keys are the same. Keras' `export`
      writes every variable twice.
  """
  graph = TrackableObjectGraph.FromString(serialized)
  found = [
    (node_id, attribute.full_name, attribute.checkpoint_key)
    for node_id, node in enumerate(graph.nodes)
    for attribute in node.attributes
    if attribute.name == _VALUE and attribute.checkpoint_key in present
  ]
  by_name = collections.defaultdict(list)
  for _, full_name, key in found:
    by_name[full_name].append(key)
  clear = {
    name
    for name, keys in by_name.items()
    if name and (len(keys) == 1 or all_equal(keys))
  }
  weights = _reachable(graph)
  keys: dict[str, str] = {}
  aliases: dict[str, str] = {}
  bookkeeping: set[str] = set()
  for node_id, full_name, key in found:
    way = key[: -len(_SUFFIX)] if key.endswith(_SUFFIX) else key
    name = full_name if full_name in clear else way
    keys.setdefault(name, key)
    aliases[way] = aliases[key] = name
    if node_id not in weights:
      bookkeeping.add(name)
  return ObjectNames(keys, aliases, frozenset(bookkeeping))


def _reachable(graph) -> set[int]:
  """The objects that can be reached without passing by an optimizer.

  The weights themselves can: an optimizer is not the only one to hold them.
  """
  found, pending = {0}, [0]
  while pending:
    for child in graph.nodes[pending.pop()].children:
      if child.node_id in found or child.local_name.startswith(_BOOKKEEPING):
        continue
      found.add(child.node_id)
      pending.append(child.node_id)
  return found
