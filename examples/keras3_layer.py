# SPDX-License-Identifier: Apache-2.0
"""A Keras 3 layer for reusable SavedModels; copy it into your code.

`hub.KerasLayer` is for Keras 2, and `keras.layers.TFSMLayer` loses weight
penalties and trains in inference mode unless it is told not to. This layer
trains all weights of a module, adds its penalties to the loss, and moves its
moving averages. It needs nothing but TensorFlow and Keras 3.
"""

import keras
import tensorflow as tf


class ReusableModule(keras.layers.Layer):
  """A module as a layer: images in, features or logits out.

  With `trainable=False` it infers, as batch norm does in Keras: no moving
  average moves, and there are no penalties.
  """

  def __init__(self, path, arguments=None, **options):
    """Loads the module.

    Args:
      path: the SavedModel's directory.
      arguments: further arguments of each call, such as
        `dict(batch_norm_momentum=0.9)`.
      **options: of any Keras layer: `trainable`, `name`.
    """
    super().__init__(**options)
    self.module_path, self.arguments = path, dict(arguments or {})
    self.module = tf.saved_model.load(path)
    # The module's own variables, as Keras counts and trains them.
    self.module_weights = [
      keras.Variable(
        variable,
        shape=variable.shape,
        dtype=variable.dtype.name,
        trainable=variable.trainable,
        name=variable.name.partition(":")[0].replace("/", "_"),
      )
      for variable in self.module.variables
    ]

  def call(self, images, training=False):
    training = bool(training) and self.trainable
    if training:
      for penalty in self.module.regularization_losses:
        self.add_loss(penalty())
    return self.module(images, training=training, **self.arguments)

  def compute_output_shape(self, input_shape):
    signature = self.module.signatures["serving_default"]
    return (input_shape[0], signature.structured_outputs["default"].shape[-1])

  def get_config(self):
    own = {"path": self.module_path, "arguments": self.arguments}
    return {**super().get_config(), **own}
