# SPDX-License-Identifier: Apache-2.0
"""Turns any image model into a TF1 Hub module.

The modules honour the "Common Signatures for Images"; see README.md. Names
are imported when they are first used: so is TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hub_image_export.version import __version__ as __version__

if TYPE_CHECKING:
  from hub_image_export.checker import check_module as check_module
  from hub_image_export.errors import (
    CheckError as CheckError,
    ExportError as ExportError,
    ImageExportError as ImageExportError,
    SourceError as SourceError,
    VerificationError as VerificationError,
    WeightsError as WeightsError,
  )
  from hub_image_export.export.builders import (
    make_classification_module as make_classification_module,
    make_feature_vector_module as make_feature_vector_module,
    make_image_module as make_image_module,
  )
  from hub_image_export.export.spec import ImageModuleSpec as ImageModuleSpec
  from hub_image_export.export.summary import Summary as Summary
  from hub_image_export.publishing.archive import write_archive as write_archive
  from hub_image_export.publishing.module_page import (
    write_module_page as write_module_page,
  )
  from hub_image_export.publishing.publish_dir import (
    write_publish_dir as write_publish_dir,
  )
  from hub_image_export.serving.class_labels import load_labels as load_labels
  from hub_image_export.serving.image_module import (
    ImageModule as ImageModule,
  )
  from hub_image_export.serving.opening import open_module as open_module
  from hub_image_export.sources.hub_module import (
    ModuleFunction as ModuleFunction,
  )
  from hub_image_export.tensorflow_api.compat import hub as hub

_HOMES = {
  "make_feature_vector_module": "export.builders",
  "make_classification_module": "export.builders",
  "make_image_module": "export.builders",
  "ImageModuleSpec": "export.spec",
  "ModuleFunction": "sources.hub_module",
  "Summary": "export.summary",
  "load_labels": "serving.class_labels",
  "write_archive": "publishing.archive",
  "write_module_page": "publishing.module_page",
  "write_publish_dir": "publishing.publish_dir",
  "check_module": "checker",
  "open_module": "serving.opening",
  "ImageModule": "serving.image_module",
  "hub": "tensorflow_api.compat",
  "ImageExportError": "errors",
  "SourceError": "errors",
  "WeightsError": "errors",
  "VerificationError": "errors",
  "ExportError": "errors",
  "CheckError": "errors",
}

__all__ = [*_HOMES]


def __getattr__(name: str):
  if name not in _HOMES:
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
  value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
  globals()[name] = value
  return value


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
