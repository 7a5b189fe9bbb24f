"""The protocol buffers that a module consists of.

TensorFlow and tensorflow_hub give them no public names. They are imported by
name, after the compatibility module: without it, tensorflow_hub cannot be
imported on TensorFlow 2.16 and later.
"""

from __future__ import annotations

import importlib

from hub_image_export.tensorflow_api import compat

_TENSORFLOW = f"{compat.tf.__name__}.core"
_HUB = compat.hub.__name__


def _load(name: str):
  return importlib.import_module(name)


_meta_graph = _load(f"{_TENSORFLOW}.protobuf.meta_graph_pb2")
_module = _load(f"{_HUB}.module_def_pb2")

SavedModel = _load(f"{_TENSORFLOW}.protobuf.saved_model_pb2").SavedModel
AssetFileDef = _meta_graph.AssetFileDef
VariableDef = _load(f"{_TENSORFLOW}.framework.variable_pb2").VariableDef
ModuleDef = _module.ModuleDef
ModuleAttachment = _load(f"{_HUB}.module_attachment_pb2").ModuleAttachment
ImageModuleInfo = compat.hub.ImageModuleInfo
