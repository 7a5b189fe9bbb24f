# SPDX-License-Identifier: Apache-2.0
"""Names for annotations: `tf` and `hub` are found at run time.

To type checkers they are Any; to readers they say what is meant.
"""

from __future__ import annotations

from typing import Any

# tf.Tensor: symbolic or eager.
Tensor = Any
# tf.Graph, or the FuncGraph that a function is traced into.
Graph = Any
# tf.keras.Model and tf.keras.layers.Layer, of Keras 2, Keras 3 or tf_keras.
KerasModel = Any
Layer = Any
# hub.ModuleSpec.
ModuleSpec = Any
