# SPDX-License-Identifier: Apache-2.0
"""The module as a competent user writes it, with tensorflow_hub alone.

The usual recipe: the model is built anew inside `module_fn`, `hub.Module`
brings its variables into a session, one run feeds all weights, `export` saves.
"""

from __future__ import annotations

import contextlib
from typing import Any

from benchmarks.measure import Phases
from benchmarks.models import Case, differs_in_training
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet


def export(model: Any, case: Case, path: str, phases: Phases) -> None:
  """Writes a module with the variants and weights of `model` to `path`."""
  # Keras 2 makes live models unusable once layers were built in a graph.
  values = model.get_weights()
  names: list[str] = []

  def module_fn(training: bool) -> None:
    _reset_names()
    names[:] = _define(case.build(), case.size, training)

  variants = [(set(), {"training": False})]
  if differs_in_training(model):
    variants.append(({"train"}, {"training": True}))
  with quiet():
    with phases("spec"):
      spec = hub.create_module_spec(module_fn, variants)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      with phases("instantiate"):
        module = hub.Module(spec)
      with phases("feed"):
        ops = {k: v.initializer for k, v in module.variable_map.items()}
        feeds = {ops[k].inputs[1]: value for k, value in zip(names, values)}
        # All of them: Keras 3 has random state that is no weight.
        session.run(list(ops.values()), feeds)
      with phases("write"):
        module.export(path, session)


def _reset_names() -> None:
  """Layers that nobody named get the same names in each variant."""
  if hasattr(tf.keras.backend, "reset_uids"):
    tf.keras.backend.reset_uids()
    return
  # Keras 3 does that, and then finds that the graph is not its own.
  with contextlib.suppress(AssertionError):
    tf.keras.backend.clear_session()


def _define(model: Any, size: int, training: bool) -> list[str]:
  """Defines a variant; returns its variables' names in the model's order."""
  images = tf.compat.v1.placeholder(tf.float32, [None, size, size, 3], "images")
  features = model(images, training=training)
  for signature in ("default", "image_feature_vector"):
    hub.add_signature(signature, {"images": images}, {"default": features})
  info = hub.ImageModuleInfo()
  info.default_image_size.height = info.default_image_size.width = size
  hub.attach_image_module_info(info)
  # Keras 3 has no such method: its updates are out of a user's reach here.
  if training and hasattr(model, "get_updates_for"):
    for update in model.get_updates_for(images):
      tf.compat.v1.add_to_collection("update_ops", update)
  return [
    getattr(weight, "path", weight.name).removesuffix(":0")
    for weight in model.weights
  ]
