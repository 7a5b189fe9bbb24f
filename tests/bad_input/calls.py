"""How each public function is called, given the arguments of a row.

The other arguments are good ones. What is written goes below `target`.
"""

from __future__ import annotations

from typing import Any

import hub_image_export as hie
from hub_image_export.sources import application_models, applications
from hub_image_export.tensorflow_api.compat import tf
from tests.support.models import CLASSES

DETAILS = {
  "handle": "my-lab/pets/1",
  "asset_path": "https://example.com/pets/1.tar.gz",
  "scores": "softmax",
}


def _features(place, target, arguments):
  arguments = {"fn": place.network, "height": 12, "width": 10, **arguments}
  return hie.make_feature_vector_module(**arguments)


def _classification(place, target, arguments):
  arguments = {"fn": place.network, "height": 12, "width": 10, **arguments}
  return hie.make_classification_module(**arguments)


def _several_tasks(place, target, arguments):
  given = {"fn": place.tasks, "height": 12, "width": 10, **arguments}
  return hie.make_image_module(**{"default_task": CLASSES, **given})


def _export(place, target, arguments):
  return place.spec.export(
    **{"path": target / "module", "verify": False, **arguments}
  )


def _with_weights(place, target, arguments):
  weights = place.directory / "weights.npz"
  return place.spec.with_weights(**{"checkpoint_path": weights, **arguments})


def _module_function(place, target, arguments):
  return hie.ModuleFunction(
    **{"module": place.directory / "module", **arguments}
  )


def _call_module_function(place, target, arguments):
  function = hie.ModuleFunction(place.directory / "module")

  def traced(images: Any) -> Any:
    return function(**{"images": images, **arguments})["default"]

  images = tf.TensorSpec([None, 12, 10, 3])
  return tf.compat.v1.wrap_function(traced, [images])


def _load_labels(place, target, arguments):
  return hie.load_labels(**arguments)


def _write_archive(place, target, arguments):
  good = {"module": place.directory / "module", "path": target / "m.tar.gz"}
  return hie.write_archive(**{**good, **arguments})


def _write_module_page(place, target, arguments):
  good = {"module": place.directory / "module", "path": target / "1.md"}
  return hie.write_module_page(**{**good, **DETAILS, **arguments})


def _check_module(place, target, arguments):
  return hie.check_module(**{"path": place.directory / "none", **arguments})


def _application(place, target, arguments):
  return applications.get(**arguments)


def _build_application(place, target, arguments):
  good = {"task": "feature_vector", "weights": "random", **arguments}
  return application_models.build(applications.get("MobileNet"), **good)


CALLS = {
  "make_feature_vector_module": _features,
  "make_classification_module": _classification,
  "make_image_module": _several_tasks,
  "ImageModuleSpec.export": _export,
  "ImageModuleSpec.with_weights": _with_weights,
  "ModuleFunction": _module_function,
  "ModuleFunction.__call__": _call_module_function,
  "load_labels": _load_labels,
  "write_archive": _write_archive,
  "write_module_page": _write_module_page,
  "check_module": _check_module,
  "applications.get": _application,
  "application_models.build": _build_application,
}
