# SPDX-License-Identifier: Apache-2.0
"""How each public function is called, given the arguments of a row.

The other arguments are good ones. What is written goes below `target`.
"""

from __future__ import annotations

from typing import Any

import hub_image_export as hie
from hub_image_export.sources import application_models, applications
from hub_image_export.tensorflow_api.compat import tf
from tests.support.models import CLASSES

_SIZE = {"height": 12, "width": 10}
_DETAILS = {
  "handle": "my-lab/pets/1",
  "asset_path": "https://example.com/pets/1.tar.gz",
  "scores": "softmax",
}


def _call_module_function(place, arguments):
  function = hie.ModuleFunction(place.directory / "module")

  def traced(images: Any) -> Any:
    return function(**{"images": images, **arguments})["default"]

  images = tf.TensorSpec([None, 12, 10, 3])
  return tf.compat.v1.wrap_function(traced, [images])


def _with_module(place: Any, method: str) -> Any:
  def call(**arguments: Any) -> Any:
    with hie.open_module(place.directory / "module", threads=1) as module:
      found = getattr(module, method)(**arguments)
      return list(found) if method == "rows" else found

  return call


def _calls(place, target) -> dict[str, tuple[Any, dict[str, Any]]]:
  """By name: the function, and good arguments."""
  module = {"module": place.directory / "module"}
  network = {"fn": place.network, **_SIZE}
  tasks = {"fn": place.tasks, "default_task": CLASSES, **_SIZE}
  export = {"path": target / "module", "verify": False}
  build = {"task": "feature_vector", "weights": "random"}
  return {
    "make_feature_vector_module": (hie.make_feature_vector_module, network),
    "make_classification_module": (hie.make_classification_module, network),
    "make_image_module": (hie.make_image_module, tasks),
    "ImageModuleSpec.export": (place.spec.export, export),
    "ImageModuleSpec.export_saved_model": (
      place.spec.export_saved_model,
      export,
    ),
    "ImageModuleSpec.with_weights": (
      place.spec.with_weights,
      {"checkpoint_path": place.directory / "weights.npz"},
    ),
    "ModuleFunction": (hie.ModuleFunction, module),
    "ModuleFunction.__call__": (
      lambda **arguments: _call_module_function(place, arguments),
      {},
    ),
    "load_labels": (hie.load_labels, {}),
    "open_module": (hie.open_module, {"path": place.directory / "module"}),
    "ImageModule.__call__": (_with_module(place, "__call__"), {"images": []}),
    "ImageModule.rows": (_with_module(place, "rows"), {"images": []}),
    "ImageModule.output_shape": (_with_module(place, "output_shape"), {}),
    "ImageModule.is_classifier": (_with_module(place, "is_classifier"), {}),
    "write_archive": (
      hie.write_archive,
      {**module, "path": target / "m.tar.gz"},
    ),
    "write_module_page": (
      hie.write_module_page,
      {**module, "path": target / "1.md", **_DETAILS},
    ),
    "write_publish_dir": (
      hie.write_publish_dir,
      {
        **module,
        "path": target / "out",
        "report": place.report,
        **_DETAILS,
      },
    ),
    "check_module": (hie.check_module, {"path": place.directory / "none"}),
    "applications.get": (applications.get, {}),
    "application_models.build": (
      lambda **arguments: application_models.build(
        applications.get("MobileNet"), **arguments
      ),
      build,
    ),
  }


def call(name: str, place: Any, target: Any, arguments: dict[str, Any]) -> Any:
  """Calls a public function with `arguments`, and good ones beside them."""
  function, good = _calls(place, target)[name]
  return function(**{**good, **arguments})
