# SPDX-License-Identifier: Apache-2.0
"""A module in a graph and a session of its own, as a consumer loads it.

Whatever runs modules here begins with this: verification, the golden example,
and `open_module`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.tensorflow_api import private_hub
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet
from hub_image_export.tensorflow_api.types import ModuleSpec


@dataclasses.dataclass(frozen=True)
class LoadedModule:
  """The inference variant of a module.

  Attributes:
    graph: in which it was instantiated.
    images: placeholder for them.
    outputs: by signature and key (`"image_feature_vector/default"`).
    session: in which its variables have their values.
    begin: gives them their values in another session, where that is possible.
  """

  graph: Any
  images: Any
  outputs: dict[str, Any]
  session: Any
  begin: Callable[[Any], None] | None = None

  def run(self, fetches: Any, images: np.ndarray) -> Any:
    return self.session.run(fetches, {self.images: images})

  def run_on_cpu(self, fetches: Any, images: np.ndarray) -> Any:
    """In a session without GPUs, which do not repeat a sum."""
    devices = self.session.list_devices()
    if self.begin is None or all(d.device_type == "CPU" for d in devices):
      return self.run(fetches, images)
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    session = tf.compat.v1.Session(graph=self.graph, config=config)
    with session:
      self.begin(session)
      return session.run(fetches, {self.images: images})


@contextlib.contextmanager
def loaded(
  module: str | ModuleSpec,
  signatures: Iterable[str],
  image_shape: Sequence[int | None],
  threads: int = 0,
) -> Iterator[LoadedModule]:
  """Loads the inference variant.

  Args:
    module: its directory, or what `hub.load_module_spec` makes of it.
    signatures: those to apply, to the same images.
    image_shape: of the images (C14, C15).
    threads: as for `session_of`.
  """
  graph = tf.Graph()
  with quiet(), graph.as_default():
    spec = hub.load_module_spec(module) if isinstance(module, str) else module
    instance, restore = private_hub.instantiated(spec)
    images = tf.compat.v1.placeholder(tf.float32, image_shape)
    outputs = {}
    for name in signatures:
      results = instance(
        {contract.IMAGES: images}, signature=name, as_dict=True
      )
      outputs.update({f"{name}/{key}": v for key, v in results.items()})
    tables = tf.compat.v1.tables_initializer()

  def begin(session: Any) -> None:
    restore(session)
    session.run(tables)

  with session_of(graph, threads) as session:
    begin(session)
    yield LoadedModule(graph, images, outputs, session, begin)


@contextlib.contextmanager
def session_of(graph: Any, threads: int = 0) -> Iterator[Any]:
  """A session that runs the graph as it stands.

  Grappler's rewrites would cost more than they save in a few runs, and round
  differently from the same ops one by one.

  Args:
    graph: what it runs.
    threads: of its ops; 0 for as many as there are processors.
  """
  config = config_of(threads)
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  # Not as the default session, with its graph: activations run eagerly.
  session = tf.compat.v1.Session(graph=graph, config=config)
  with contextlib.closing(session):
    yield session


def config_of(threads: int) -> Any:
  """How many threads run ops; 0 for as many as there are processors.

  A process has one pool of them for all sessions: the first decides.
  """
  return tf.compat.v1.ConfigProto(
    intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads
  )
