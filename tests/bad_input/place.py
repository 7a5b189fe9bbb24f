# SPDX-License-Identifier: Apache-2.0
"""Files and objects to call public functions on, right and wrong ones."""

from __future__ import annotations

import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.bad_input.row import Made
from tests.support.models import CLASSES, FEATURES

LABELS = ("a", "b", "c")
_NETWORKS = """
import tensorflow as tf

def network(images):
  return tf.reduce_mean(images, [1, 2])
"""


def _model() -> tf.keras.Model:
  layers = tf.keras.layers
  return tf.keras.Sequential(
    [
      tf.keras.Input((12, 10, 3)),
      layers.Conv2D(3, 3, name="conv"),
      layers.GlobalAveragePooling2D(name="pool"),
    ],
    name="tiny",
  )


class Place:
  """Attributes: a directory of files, the spec of one module, calls of `fn`."""

  def __init__(self, directory: pathlib.Path) -> None:
    self.directory = directory
    self.calls: list[Any] = []
    self.spec = hie.make_classification_module(
      self.network, 12, 10, labels=LABELS
    )
    self.spec.export(directory / "module", verify=False)
    values = {v.name: v.read() for v in self.spec.function.variables}
    np.savez(directory / "weights.npz", **values)
    for name in ("plain", "damaged"):
      (directory / name).mkdir()
    for name in ("saved_model.pb", "tfhub_module.pb"):
      (directory / "damaged" / name).write_bytes(b"this is no protocol buffer")
    (directory / "plain" / "file").write_text("something")
    (directory / "file").write_text("something")
    (directory / "empty").write_text("")
    (directory / "labels").write_text("\n".join(LABELS))
    (directory / "latin").write_bytes("Größe\nb\nc\n".encode("latin-1"))
    (directory / "badmap").write_text("[ scale\n")
    _model().save(directory / "model.keras")
    (directory / "nets.py").write_text(_NETWORKS)
    pixel = tf.io.encode_png(np.zeros([1, 1, 3], np.uint8))
    (directory / "photo.png").write_bytes(pixel.numpy())
    for name in ("there.md", "there.tar.gz"):
      (directory / name).write_text("old")

  @functools.cached_property
  def report(self) -> hie.Report:
    """What is said of the module."""
    return hie.check_module(self.directory / "module", static=True)

  def network(self, images: tf.Tensor) -> tf.Tensor:
    """Three numbers of the images; `fn` of all builders."""
    self.calls.append(images)
    scale = tf.compat.v1.get_variable("scale", [3])
    shift = tf.compat.v1.get_variable("shift", [3])
    return tf.reduce_mean(images, [1, 2]) * scale + shift

  def tasks(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
    scores = self.network(images)
    return {CLASSES: scores, FEATURES: tf.nn.relu(scores)}

  def made(self, value: Any) -> Any:
    return value.make(self) if isinstance(value, Made) else value

  def all_made(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: self.made(value) for name, value in arguments.items()}

  def files(self) -> dict[str, tuple[int, float]]:
    """Sizes and times by path, of all files but those that Python caches."""
    return {
      path: (status.st_size, status.st_mtime)
      for folder, _, names in os.walk(self.directory)
      if os.path.basename(folder) != "__pycache__"
      for path in (os.path.join(folder, name) for name in names)
      for status in [os.stat(path)]
    }
