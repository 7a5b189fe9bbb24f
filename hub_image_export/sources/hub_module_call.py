"""The arguments of a call of `ModuleFunction`, checked."""

from __future__ import annotations

import numbers
from typing import Any

from hub_image_export import arguments
from hub_image_export.tensorflow_api import private
from hub_image_export.tensorflow_api.compat import tf


def images_tensor(images: Any) -> Any:
  """The images, as a tensor of the graph that is being traced (C12)."""
  if not private.is_traced(tf.compat.v1.get_default_graph()):
    raise ValueError(
      f"the module is called on images {arguments.shown(images)} where nothing "
      "is traced: expected the call in a function that a builder gets, or give "
      "it to the builder itself. hub.Module is for TF1 graphs"
    )
  if not tf.is_tensor(images) or images.dtype != tf.float32:
    raise arguments.wrong_type("images", images, "a float32 tensor (C12)")
  # An eager tensor has no graph; it becomes a constant of this one.
  return images if hasattr(images, "graph") else tf.identity(images)


def check_momentum(value: Any) -> None:
  """None, a tensor, or a number that a momentum can be (H1)."""
  if value is None or tf.is_tensor(value):
    return
  expected = "None, a tensor, or a number in [0, 1] (H1)"
  if isinstance(value, bool) or not isinstance(value, numbers.Real):
    raise arguments.wrong_type("batch_norm_momentum", value, expected)
  if not 0 <= value <= 1:
    raise arguments.wrong_value("batch_norm_momentum", value, expected)
