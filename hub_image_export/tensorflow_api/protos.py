# SPDX-License-Identifier: Apache-2.0
"""The protocol buffers that graphs and modules consist of, with their types.

TensorFlow has public names for three of them, and tensorflow_hub for none.
They are imported by name, after the compatibility module: without it,
tensorflow_hub cannot be imported on TensorFlow 2.16 and later. Type checkers
know them from the stubs of types-tensorflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hub_image_export.tensorflow_api import compat

if TYPE_CHECKING:
  from tensorflow.core.framework.attr_value_pb2 import AttrValue as AttrValue
  from tensorflow.core.framework.function_pb2 import FunctionDef as FunctionDef
  from tensorflow.core.framework.graph_pb2 import GraphDef as GraphDef
  from tensorflow.core.framework.node_def_pb2 import NodeDef as NodeDef
  from tensorflow.core.framework.variable_pb2 import VariableDef as VariableDef
  from tensorflow.core.protobuf.fingerprint_pb2 import (
    FingerprintDef as FingerprintDef,
  )
  from tensorflow.core.protobuf.meta_graph_pb2 import (
    AssetFileDef as AssetFileDef,
    MetaGraphDef as MetaGraphDef,
  )
  from tensorflow.core.protobuf.saved_model_pb2 import SavedModel as SavedModel
  from tensorflow.core.protobuf.saved_object_graph_pb2 import (
    FunctionSpec as FunctionSpec,
  )
  from tensorflow.core.protobuf.saver_pb2 import SaverDef as SaverDef
  from tensorflow.core.protobuf.struct_pb2 import (
    StructuredValue as StructuredValue,
  )
  from tensorflow.core.protobuf.trackable_object_graph_pb2 import (
    TrackableObjectGraph as TrackableObjectGraph,
  )
else:
  _V1 = compat.tf.compat.v1

  AttrValue = _V1.AttrValue
  GraphDef = _V1.GraphDef
  NodeDef = _V1.NodeDef
  MetaGraphDef = _V1.MetaGraphDef
  SaverDef = _V1.train.SaverDef

  def _tensorflow(place: str) -> Any:
    """A file of protos; they have not moved since TensorFlow 1.13."""
    return importlib.import_module(f"{compat.tf.__name__}.core.{place}_pb2")

  FunctionDef = _tensorflow("framework.function").FunctionDef
  VariableDef = _tensorflow("framework.variable").VariableDef
  AssetFileDef = _tensorflow("protobuf.meta_graph").AssetFileDef
  SavedModel = _tensorflow("protobuf.saved_model").SavedModel
  FingerprintDef = _tensorflow("protobuf.fingerprint").FingerprintDef
  FunctionSpec = _tensorflow("protobuf.saved_object_graph").FunctionSpec
  StructuredValue = _tensorflow("protobuf.struct").StructuredValue
  TrackableObjectGraph = _tensorflow(
    "protobuf.trackable_object_graph"
  ).TrackableObjectGraph


def _hub(name: str) -> Any:
  """A file of protos of hub 0.15, which will not change any more."""
  return importlib.import_module(f"{compat.hub.__name__}.{name}_pb2")


ModuleDef: Any = _hub("module_def").ModuleDef
ModuleAttachment: Any = _hub("module_attachment").ModuleAttachment
ImageModuleInfo: Any = compat.hub.ImageModuleInfo
