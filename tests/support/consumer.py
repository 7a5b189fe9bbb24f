# SPDX-License-Identifier: Apache-2.0
"""A consumer of modules: plain TF1 graph code, for the tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet

v1 = tf.compat.v1
UPDATE_OPS = v1.GraphKeys.UPDATE_OPS
REGULARIZATION_LOSSES = v1.GraphKeys.REGULARIZATION_LOSSES


def random_images(count: int, height: int, width: int, seed=0) -> np.ndarray:
  random = np.random.RandomState(seed)
  return random.uniform(size=(count, height, width, 3)).astype(np.float32)


class Consumer:
  """One variant of a module in a graph and a session of its own.

  Attributes:
    images: placeholder `[None, height, width, 3]`.
    outputs: from signature to outputs by key.
    updates: UPDATE_OPS that came with the default signature; applying
      another one brings them in again.
  """

  def __init__(
    self,
    module: Any,
    tags: frozenset[str] = frozenset(),
    trainable: bool | None = None,
    feeds: dict[str, float] | None = None,
  ):
    """`feeds` are further inputs of all signatures that have them."""
    self.graph = tf.Graph()
    with self.graph.as_default(), quiet():
      if trainable is None:
        trainable = "train" in tags
      self.module = hub.Module(module, trainable=trainable, tags=set(tags))
      height, width = hub.get_expected_image_size(self.module)
      self.images = v1.placeholder(tf.float32, [None, height, width, 3])
      self.outputs = {}
      for name in ("default", *self.module.get_signature_names()):
        if name in self.outputs:
          continue
        known = self.module.get_input_info_dict(name)
        inputs = {k: v for k, v in (feeds or {}).items() if k in known}
        inputs["images"] = self.images
        self.outputs[name] = self.module(inputs, signature=name, as_dict=True)
        if name == "default":
          self.updates = v1.get_collection(UPDATE_OPS)
      self.variables = self.module.variable_map
      self._initialize = v1.global_variables_initializer()
    self.start_session()

  def start_session(self) -> None:
    """A new session, with the module's weights."""
    self.session = v1.Session(graph=self.graph)
    self.reset()

  def reset(self) -> None:
    self.session.run(self._initialize)

  def collection(self, name: str) -> list[Any]:
    return self.graph.get_collection(name)

  def run(self, fetches: Any, images: np.ndarray | None = None) -> Any:
    feeds = {} if images is None else {self.images: images}
    return self.session.run(fetches, feeds)

  def values(self) -> dict[str, np.ndarray]:
    return self.run(self.variables)
