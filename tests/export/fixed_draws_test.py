# SPDX-License-Identifier: Apache-2.0
"""Verification (C5) fixes every draw on both sides, whatever runs it."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.support import function_sources

uniform = tf.random.uniform


def _seed():
  return uniform([2], 0, 100, tf.int32)


def _dropped(x):
  return tf.nn.dropout(x, 0.3)


_inner = tf.function(_dropped)


def _in_a_loop_of_tf1(x):
  """As files have it that were saved before control flow became functions."""
  tf.compat.v1.disable_control_flow_v2()
  try:
    return tf.while_loop(
      lambda i, y: i < 3, lambda i, y: (i + 1, _dropped(y)), [0, x]
    )[1]
  finally:
    tf.compat.v1.enable_control_flow_v2()


# From the features, and a generator, what a training step makes of them.
_DRAWS = {
  "op": lambda x, _: _dropped(x),
  "function": lambda x, _: _inner(x),
  "branch": lambda x, _: tf.cond(
    tf.reduce_mean(x) > -1e9, lambda: _dropped(x), lambda: x
  ),
  "loop": lambda x, _: tf.while_loop(
    lambda i, y: i < 3, lambda i, y: (i + 1, _dropped(y)), [0, x]
  )[1],
  "loop_of_tf1": lambda x, _: _in_a_loop_of_tf1(x),
  "integers": lambda x, _: x * tf.cast(uniform([4], 1, 9, tf.int32), x.dtype),
  "shuffle": lambda x, _: tf.random.shuffle(x),
  "stateless": lambda x, _: tf.nn.experimental.stateless_dropout(
    x, 0.3, seed=_seed()
  ),
  "stateless_double": lambda x, _: (
    x
    * tf.cast(
      tf.random.stateless_normal([4], _seed(), dtype=tf.float64), x.dtype
    )
  ),
  "stateless_integers": lambda x, _: (
    x
    * tf.cast(
      tf.random.stateless_uniform([4], _seed(), 1, 9, tf.int64), x.dtype
    )
  ),
  "gamma": lambda x, _: x * tf.random.gamma([2], [1.0, 2.0, 0.5, 1.0])[0],
  "poisson": lambda x, _: x + tf.stop_gradient(tf.random.poisson([], x * x)),
  "classes": lambda x, _: (
    x + tf.cast(tf.random.categorical(tf.zeros([1, 3]), 4), x.dtype)
  ),
  "stateless_gamma": lambda x, _: (
    x * tf.random.stateless_gamma([4], _seed(), 2.0)
  ),
  "stateless_counts": lambda x, _: (
    x * tf.random.stateless_binomial([4], _seed(), 9.0, 0.5, tf.float32)
  ),
  "stateless_classes": lambda x, _: (
    x
    + tf.cast(
      tf.random.stateless_categorical(tf.zeros([1, 3]), 4, _seed()), x.dtype
    )
  ),
  "stateless_full_range": lambda x, _: (
    x
    * tf.cast(
      tf.random.stateless_uniform([4], _seed(), None, None, tf.int32) % 7,
      x.dtype,
    )
  ),
  "generator_full_range": lambda x, generator: (
    x + tf.cast(generator.uniform_full_int([4], tf.uint32) % 7, x.dtype)
  ),
  "generator": lambda x, generator: x * generator.truncated_normal([4]),
  "generator_integers": lambda x, generator: (
    x * tf.cast(generator.uniform(tf.constant([4]), 1, 9, tf.int32), x.dtype)
  ),
}


class _Net(tf.Module):
  def __init__(self, draw, wrap):
    super().__init__()
    self.kernel = tf.Variable(tf.random.normal([3, 3, 3, 4]))
    self.generator = tf.random.Generator.from_seed(3)
    self._draw = draw
    self.features = wrap(self.features)

  def features(self, x, training):
    x = tf.nn.conv2d(x, self.kernel, 2, "SAME")
    x = self._draw(x, self.generator) if training else x
    return tf.reduce_mean(x, [1, 2])

  def __call__(self, images, training=False):
    return self.features(images, training)


@pytest.fixture(params=[None, pytest.param(3, marks=pytest.mark.slow)])
def seed(request):
  """With a seed each run of a new function draws the same."""
  tf.random.set_seed(request.param)
  yield
  tf.random.set_seed(None)


@pytest.mark.parametrize("wrap", [tf.function, lambda f: f], ids=["f", "eager"])
@pytest.mark.parametrize("name", _DRAWS)
def test_draws_are_fixed(name, wrap, seed, tmp_path):
  spec = hie.make_feature_vector_module(_Net(_DRAWS[name], wrap), 12, 10)
  summary = spec.export(tmp_path / "module")
  assert "train" in {d.variant for d in summary.differences}
  assert max(d.absolute for d in summary.differences) < 1e-6
  assert not summary.notes


def _with_layers(draw):
  """A TF1 function that makes Keras layers: it is traced for each run."""

  def features(images, is_training):
    x = tf.keras.layers.Conv2D(4, 3)(images)
    scale = tf.compat.v1.get_variable("scale", [4])
    x = draw(x, None) if is_training else x
    return tf.reduce_mean(x * scale, [1, 2])

  return features


@pytest.mark.parametrize("name", [n for n in _DRAWS if "generator" not in n])
def test_draws_of_functions_with_layers_are_fixed(name, seed, tmp_path):
  features = _with_layers(_DRAWS[name])
  spec = hie.make_feature_vector_module(features, 12, 10)
  summary = spec.export(tmp_path / "module")
  assert max(d.absolute for d in summary.differences) < 1e-6
  assert not summary.notes


@pytest.mark.parametrize("make", [_with_layers, lambda d: _Net(d, tf.function)])
def test_notes_tell_of_draws_that_cannot_be_fixed(make, tmp_path):
  net = make(lambda x, _: x * function_sources.sampled(4))
  summary = hie.make_feature_vector_module(net, 12, 10).export(tmp_path / "m")
  assert "differs from itself" in str(summary.notes)


def test_masks_of_recurrent_cells_are_drawn_for_each_call(tmp_path):
  """ConvLSTM2D of Keras 2 keeps the mask of an eager call for the next one."""
  keras, layers = tf.keras, tf.keras.layers
  inputs = keras.Input((12, 10, 3))
  strips = layers.Reshape((3, 4, 10, 3))(inputs)
  cells = layers.ConvLSTM2D(4, 3, dropout=0.3, recurrent_dropout=0.2)
  outputs = layers.GlobalAveragePooling2D()(cells(strips))
  model = keras.Model(inputs, outputs)
  summary = hie.make_feature_vector_module(model, 12, 10).export(
    tmp_path / "module"
  )
  assert summary.verified and not summary.notes
  # And none that verification has fixed is left to the model's user.
  names = ("_dropout_mask_cache", "_dropout_mask")  # Of Keras 2, and 3.
  assert not any(getattr(cells.cell, name, None) for name in names)
