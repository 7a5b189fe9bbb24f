"""The module as a competent user writes it, with tensorflow_hub alone.

The usual recipe: the model is built anew inside `module_fn`, `hub.Module`
brings its variables into a session, one run feeds all weights, `export` saves.
"""

from __future__ import annotations

from typing import Any

from benchmarks.measure import Phases
from benchmarks.models import Case, differs_in_training
from hub_image_export.compat import hub, quiet, tf


def export(model: Any, case: Case, path: str, phases: Phases) -> None:
  """Writes a module with the variants and weights of `model` to `path`."""
  # Keras 2 makes live models unusable once layers were built in a graph.
  values = model.get_weights()
  names: list[str] = []

  def module_fn(training: bool) -> None:
    names[:] = _module_fn(case, training)

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
        ops = [module.variable_map[name].initializer for name in names]
        feeds = {op.inputs[1]: value for op, value in zip(ops, values)}
        session.run(ops, feeds)
      with phases("write"):
        module.export(path, session)


def _module_fn(case: Case, training: bool) -> list[str]:
  """Defines a variant; returns its variables' names in the model's order."""
  images = tf.compat.v1.placeholder(
    tf.float32, [None, case.size, case.size, 3], "images"
  )
  model = case.build()
  features = model(images, training=training)
  for signature in ("default", "image_feature_vector"):
    hub.add_signature(signature, {"images": images}, {"default": features})
  info = hub.ImageModuleInfo()
  info.default_image_size.height = info.default_image_size.width = case.size
  hub.attach_image_module_info(info)
  # Keras 3 has no such method: its updates are out of a user's reach here.
  if training and hasattr(model, "get_updates_for"):
    for update in model.get_updates_for(images):
      tf.compat.v1.add_to_collection("update_ops", update)
  return [
    getattr(weight, "path", weight.name).removesuffix(":0")
    for weight in model.weights
  ]
