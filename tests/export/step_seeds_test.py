# SPDX-License-Identifier: Apache-2.0
"""Variables that seed the draws of training steps, of whatever kind (C5, F4).

What only seeds draws is left out of a module, which draws afresh everywhere;
what does more stays, and moves as it does at the source.
"""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf

v1 = tf.compat.v1
normal = tf.random.stateless_normal


class _Net(tf.Module):
  """`step(net, x)` in training, `infer(net, x)` otherwise."""

  def __init__(self, step, seed, infer=lambda net, x: x):
    super().__init__()
    self.kernel = tf.Variable(tf.ones([3, 4]), name="kernel")
    self.seed = tf.Variable(seed, trainable=False, name="seed")
    self.step, self.infer = step, infer

  def __call__(self, images, training=False):
    x = tf.reduce_mean(images, [1, 2])
    return (self.step if training else self.infer)(self, x) @ self.kernel


def _count(net, x):
  net.seed.assign_add(1)
  return x + normal(tf.shape(x), tf.stack([net.seed, 7]))


def _long_count(net, x):
  net.seed.assign_add(2)
  return x * tf.random.stateless_gamma(tf.shape(x), [net.seed, 7], 2.0)


def _split(net, x):
  first, second = tf.unstack(
    tf.random.experimental.stateless_split(net.seed, 2)
  )
  net.seed.assign(first)
  return tf.nn.experimental.stateless_dropout(x, 0.3, second)


def _fade(net, x):
  share = tf.exp(-tf.cast(net.seed, tf.float32) / 100.0)
  return _count(net, x) * share


def _shift(net, x):
  return x + tf.cast(net.seed, tf.float32)


def _variable_of_tf1(images, is_training):
  kernel = v1.get_variable("kernel", [3, 4])
  seed = v1.get_variable(
    "seed", [], tf.int32, v1.zeros_initializer(), trainable=False
  )
  x = tf.reduce_mean(images, [1, 2])
  if is_training:
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign_add(seed, 1))
    x = x + normal(tf.shape(x), tf.stack([seed, 7]))
  return x @ kernel


def _made_beside_layers(images, is_training):
  """It is traced for each run: it makes what Keras is to train."""
  x = tf.keras.layers.Dense(4)(tf.reduce_mean(images, [1, 2]))
  return x + _variable_of_tf1(images, is_training)


_SEEDS_ALONE = {
  "count": lambda: _Net(_count, 0),
  "long_count": lambda: _Net(_long_count, tf.constant(0, tf.int64)),
  "pair": lambda: _Net(_split, [1, 2]),
  "variable_of_tf1": lambda: _variable_of_tf1,
  "made_beside_layers": lambda: _made_beside_layers,
}
_MORE_THAN_SEEDS = {
  "fades": lambda: _Net(_fade, 0),
  "is_inferred_with": lambda: _Net(_count, 0, _shift),
}


def _exported(make, path):
  spec = hie.make_feature_vector_module(make(), 12, 10)
  summaries = spec.export(path / "hub"), spec.export_saved_model(path / "tf2")
  for summary in summaries:
    assert not summary.notes
    assert "train" in {d.variant for d in summary.differences}
  names = {variable.name for variable in spec.function.variables}
  moved = {d.name for d in summaries[0].differences if d.kind == "variable"}
  return names, moved


def _is_seed(name):
  return name.endswith("seed")


@pytest.mark.parametrize("name", _SEEDS_ALONE)
def test_what_only_seeds_draws_is_left_out(name, tmp_path):
  names, moved = _exported(_SEEDS_ALONE[name], tmp_path)
  assert not any(map(_is_seed, names | moved))


@pytest.mark.parametrize("name", _MORE_THAN_SEEDS)
def test_what_does_more_moves_as_at_the_source(name, tmp_path):
  names, moved = _exported(_MORE_THAN_SEEDS[name], tmp_path)
  assert any(map(_is_seed, names)) and any(map(_is_seed, moved))
