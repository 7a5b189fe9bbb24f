# SPDX-License-Identifier: Apache-2.0
"""Whether a network can tell training from inference at all.

Many networks cannot: convolutions, dense layers, layer norms, activations.
Tracing such a network for training gives the graph for inference once more,
only to be left out (F2). Where all layers are known, that trace is saved.
"""

from __future__ import annotations

import inspect

from hub_image_export.graph.graph_defs import all_nodes
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import keras_packages, known_ops
from hub_image_export.tensorflow_api.types import Layer
from hub_image_export.tracing.trace import Trace

# Layers of Keras 2 and 3 that compute the same whatever `training` is. None
# draws, keeps statistics of what it sees, or asks for the phase of learning.
_IGNORE_TRAINING = (
  *("Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"),
  *("Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum"),
  *("Multiply", "Subtract"),
  *("AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
  *("MaxPooling2D",),
  *("Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "DepthwiseConv2D"),
  *("Dense", "SeparableConv2D"),
  *("GroupNormalization", "LayerNormalization", "UnitNormalization"),
  *("Normalization", "Rescaling", "Resizing", "CenterCrop"),
  *("Cropping2D", "Flatten", "Permute", "RepeatVector", "Reshape"),
  *("UpSampling2D", "ZeroPadding2D"),
  "InputLayer",
  "Sequential",  # Passes `training` on to its layers, and no more.
)
# Keras 3 wraps the first two in each layer, compiling sets the third, and
# penalties are computed when all layers have been called.
_NO_PART_OF_CALLS = ("build", "quantize", "loss", "_callable_losses")


def training_cannot_differ(source: Source, inference: Trace) -> bool:
  """Whether a trace for training is sure to equal that for inference (F2).

  That is so where the source is a Keras model itself, all of whose layers are
  of classes that are known, with functions of Keras in them, and where nothing
  changes any state. In any doubt the answer is no: then both are traced, and
  compared.

  Args:
    source: what was traced. A function is told of training itself, and may
      do anything with it: nothing is known of one.
    inference: the source's trace for inference.
  """
  layers = inference.layers.layers
  classes = keras_packages.layer_classes(_IGNORE_TRAINING)
  return (
    any(layer is source.call for layer in layers)
    and not inference.made
    and all(type(x) in classes and _is_as_made(x) for x in layers)
    and all(
      known_ops.only_computes(n.op) for n in all_nodes(inference.graph_def)
    )
  )


def _is_as_made(layer: Layer) -> bool:
  """Whether no function of somebody else has a part in the layer's calls."""
  attributes = vars(layer)
  activation = attributes.get("activation")
  return (
    (activation is None or keras_packages.is_activation(activation))
    and getattr(layer, "quantization_mode", None) is None
    and not any(
      inspect.isroutine(inspect.getattr_static(type(layer), name, None))
      for name in attributes
      if name not in _NO_PART_OF_CALLS
    )
  )
