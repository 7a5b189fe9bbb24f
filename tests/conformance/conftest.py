# SPDX-License-Identifier: Apache-2.0
"""Every model of the registry becomes a module once per process of tests."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models
from tests.support.consumer import Consumer, random_images
from tests.support.live import Source, make_live
from tests.support.models import TinyModel


@dataclasses.dataclass
class Exported:
  """A model, the module that was made of it, and a consumer per variant."""

  model: TinyModel
  source: Source
  spec: Any
  path: str
  live: Any
  _consumers: dict[frozenset[str], Consumer] = dataclasses.field(
    default_factory=dict
  )

  def consumer(self, tags=frozenset()) -> Consumer:
    """Shared by tests, with the module's weights."""
    tags = frozenset(tags)
    if tags not in self._consumers:
      self._consumers[tags] = Consumer(self.path, tags)
    else:
      self._consumers[tags].reset()
    return self._consumers[tags]

  def images(self, count=2):
    return random_images(count, *self.model.height_and_width)


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
  """A function from a model to its `Exported`."""
  known: dict[str, Exported] = {}

  def get(model: TinyModel) -> Exported:
    if model.name not in known:
      directory = str(tmp_path_factory.mktemp(model.name))
      tf.random.set_seed(5)
      source = model.make_source(directory)
      spec = model.build(source.fn)
      path = f"{directory}/module"
      spec.export(path)
      live = make_live(source, model.default_task, path)
      known[model.name] = Exported(model, source, spec, path, live)
    return known[model.name]

  return get


@pytest.fixture(params=models.ALL, ids=str)
def exported(request, exports):
  """Each model of the registry, one after the other."""
  return exports(request.param)
