# SPDX-License-Identifier: Apache-2.0
"""What the package uses of tensorflow_hub 0.15 that is no public API.

0.15 is the last version with `hub.Module`: it will not change any more. That
what is installed has all of this, tests/tensorflow_api/private_test.py shows.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.protos import MetaGraphDef
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.tensorflow_api.types import ModuleSpec

_native_module = importlib.import_module(f"{hub.__name__}.native_module")
_HubSpec: Any = _native_module._ModuleSpec


class GraphsSpec(_HubSpec):
  """A spec of graphs that were built here, as `create_module_spec` has them.

  `hub.Module` and the specs that hub makes call each other by private names.
  Subclasses override two methods that say what is wanted of them.
  """

  def __init__(self, handler: Any) -> None:
    """`handler` is that of another spec: see `handler_of`."""
    super().__init__(handler, checkpoint_variables_path=None)

  @property
  def handler(self) -> Any:
    """hub's `SavedModelHandler`, which holds the graphs and writes them."""
    return self._saved_model_handler

  def _checkpoint_for_module(self) -> str | None:
    """Called by `hub.Module`: the prefix of the checkpoint it starts with."""
    raise NotImplementedError

  def _export_of_module(self, path: str, variables_saver: Any) -> None:
    """Called by `hub.Module.export`: writes the module with other weights."""
    raise NotImplementedError

  def _create_impl(self, name: str, trainable: bool, tags: Any) -> Any:
    self._checkpoint_variables_path = self._checkpoint_for_module()
    return super()._create_impl(name, trainable, tags)

  def _export(self, path: str | bytes, variables_saver: Any) -> None:
    self._export_of_module(os.fsdecode(path), variables_saver)


class _WithSaver(_HubSpec):
  """One whose graphs claim to have a saver.

  TensorFlow makes one, in Python for each variable, when it imports a graph
  without: hub imports each graph, and uses none of these savers.
  """

  def _create_impl(self, name: str, trainable: bool, tags: Any) -> Any:
    graph = MetaGraphDef()
    graph.CopyFrom(meta_graph(self, tags))
    saver = graph.saver_def
    saver.filename_tensor_name = saver.save_tensor_name = "unused:0"
    saver.restore_op_name = "unused"
    return _native_module._ModuleImpl(
      spec=self,
      meta_graph=graph,
      trainable=trainable,
      checkpoint_path=None,
      name=name,
    )


def instantiated(
  spec: ModuleSpec, *, literally: bool = False, **options: Any
) -> tuple[Any, Callable[[Any], None]]:
  """A `hub.Module` of a directory's spec, and what gives its variables their
  values in a session.

  hub restores each variable by an op of its own, the making of which takes
  half of the time to load a module. The saver that each `hub.Module` has, to
  be exported, restores all of them by one.

  Args:
    spec: as `hub.load_module_spec` gives it.
    literally: also with what TensorFlow makes of the graph for nobody, which
      may fail for odd modules.
    options: of `hub.Module`.
  """
  checkpoint = checkpoint_of(spec)
  kind = _HubSpec if literally else _WithSaver
  module = hub.Module(kind(handler_of(spec), None), **options)
  saver = module._impl._saver
  initialize = tf.compat.v1.global_variables_initializer()

  def begin(session: Any) -> None:
    if saver is None or checkpoint is None:
      session.run(initialize)
    else:
      # Without its graph, the saver would restore eagerly.
      with session.graph.as_default(), quiet():
        saver.restore(session, checkpoint)

  return module, begin


def handler_of(spec: ModuleSpec) -> Any:
  """hub's `SavedModelHandler`: the graphs of a spec, by their tags."""
  return spec._saved_model_handler


def checkpoint_of(spec: ModuleSpec) -> str | None:
  """Prefix of the checkpoint of a module that was loaded; None for others."""
  prefix = getattr(spec, "_checkpoint_variables_path", None)
  return None if prefix is None else os.fsdecode(prefix)


def meta_graph(spec: ModuleSpec, tags: frozenset[str]) -> MetaGraphDef:
  """A variant's graph as hub loads it: assets have their paths here."""
  return handler_of(spec).get_meta_graph(tags=tags)
