# SPDX-License-Identifier: Apache-2.0
"""TensorFlow 1.15 runs and differentiates what is authored here.

Needs a Python 3.7 with TensorFlow 1.15 and numpy, named by the environment
variable HIE_TF115_PYTHON. All networks run in one process there.
"""

import numpy as np
import pytest

from hub_image_export.graph import random_numbers as randomness
from hub_image_export.tensorflow_api.compat import tf
from tests.support import portability_cases as cases, tf115

layers = tf.keras.layers


def _attention():
  images = tf.keras.Input([8, 8, 3])
  rows = layers.Reshape([64, 3])(images)
  attended = layers.MultiHeadAttention(2, 4, use_bias=False)(rows, rows)
  return tf.keras.Model(images, attended)


# No biases before batch norm and attention: their gradients are zero, and what
# is computed for them is the rounding of other numbers.
# The layers run in training.
_LAYERS = {
  "activations": lambda: [
    layers.Activation(name)
    for name in ("swish", "gelu", "hard_sigmoid", "elu", "selu", "relu6")
  ],
  "attention": lambda: [_attention()],
  "batch_norm": lambda: [
    layers.Conv2D(4, 3, use_bias=False),
    layers.BatchNormalization(),
  ],
  "dilated": lambda: [layers.Conv2D(4, 3, dilation_rate=2)],
  "dropout": lambda: [layers.Dropout(0.5)],
  "grouped": lambda: [layers.Conv2D(6, 3), layers.Conv2D(4, 3, groups=2)],
  "depthwise_groups": lambda: [layers.Conv2D(6, 3, groups=3)],
  "layer_norm": lambda: [layers.LayerNormalization()],
  "noise": lambda: [layers.GaussianNoise(0.5)],
  "preprocessing": lambda: [
    layers.Resizing(6, 6),
    layers.Rescaling(2.0, -1.0),
    layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
  ],
  "random_brightness": lambda: [layers.RandomBrightness(0.2, (0.0, 1.0))],
  "random_flip": lambda: [layers.RandomFlip()],
  "recurrent": lambda: [
    layers.Reshape([8, 24]),
    layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
    layers.GRU(3, return_sequences=True),
    layers.GRU(3),
  ],
  "separable": lambda: [layers.SeparableConv2D(4, 3)],
  "spatial_dropout": lambda: [layers.SpatialDropout2D(0.5)],
  "transposed": lambda: [layers.Conv2DTranspose(4, 3, strides=2)],
}


def _functions():
  kernel = tf.Variable(np.linspace(-1, 1, 108, dtype="f").reshape(3, 3, 3, 4))
  pads = [[0, 0], [1, 0], [2, 1], [0, 0]]
  return {
    "conv_dilated": lambda x: tf.nn.conv2d(x, kernel, 1, "SAME", dilations=2),
    "conv_pads": lambda x: tf.nn.relu(tf.nn.conv2d(x, kernel, 1, pads) + 1.0),
    "depthwise_pads": lambda x: tf.nn.depthwise_conv2d(
      x, kernel, [1, 1, 1, 1], pads
    ),
    "max_pool_pads": lambda x: tf.nn.max_pool2d(x, 3, 2, pads),
    "einsum": lambda x: tf.einsum("bhwc,xyco->bhwxyo", x, kernel),
    "loop": lambda x: tf.while_loop(
      lambda i, _: i < 3, lambda i, y: (i + 1, tf.sin(y)), [0, x]
    )[1],
    "eye": lambda x: x @ tf.eye(3),
    "stateless": lambda x: x + tf.random.stateless_normal([3], [1, 2]),
    "branch": lambda x: tf.cond(
      tf.reduce_mean(x) > 0, lambda: 2 * x, lambda: x
    ),
  }


@pytest.fixture(scope="module")
def results(tmp_path_factory):
  traced = {
    name: cases.trace_layers(*make()).portable()
    for name, make in _LAYERS.items()
  }
  for name, function in _functions().items():
    traced[name] = cases.trace(function).portable()
  there = cases.run_in_tf115(traced, tmp_path_factory.mktemp("tf115"))
  return {name: (traced[name], there[name]) for name in traced}


@tf115.needs_tf115
@pytest.mark.parametrize("name", [*_LAYERS, *_functions()])
def test_tensorflow_1_15_gives_the_same(results, name):
  case, there = results[name]
  here = cases.run(case)
  if not randomness.random_ops(case.graph_def, case.outputs):
    cases.assert_equal(there, here)
    return
  assert not isinstance(there, str), there
  assert set(there) == set(here)
  assert np.isfinite(there["fetch0"]).all()


@tf115.needs_tf115
@pytest.mark.parametrize("name", ["dropout", "noise"])
def test_random_numbers_are_drawn_anew(results, name):
  case, there = results[name]
  drawn = [there["fetch0"], *(cases.run(case)["fetch0"] for _ in range(2))]
  for i in range(3):
    assert not np.allclose(drawn[i], drawn[i - 1])


@tf115.needs_tf115
def test_moving_averages_move(results):
  case, there = results["batch_norm"]
  names = list(case.variables)
  moved = {
    name
    for i, name in enumerate(names)
    if not np.array_equal(there[f"read{i}"], case.variables[name])
  }
  assert len(moved) == 2 == len(case.updates())
