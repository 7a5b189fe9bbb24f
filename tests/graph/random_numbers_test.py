# SPDX-License-Identifier: Apache-2.0
"""Random numbers are new in each process, and a module has no state of them."""

import numpy as np
import pytest

from hub_image_export.graph import random_numbers as randomness
from hub_image_export.tensorflow_api.compat import tf
from tests.support.portability_cases import run, trace, trace_layers


def _generator():
  return tf.random.Generator.from_seed(1)


def _noise(draw):
  generator = _generator()
  return lambda images: images + tf.cast(draw(generator), tf.float32)


_DRAWS = {
  "uniform": _noise(lambda g: g.uniform([8, 8, 3])),
  "normal": _noise(lambda g: g.normal([8, 8, 3])),
  "truncated": _noise(lambda g: g.truncated_normal([8, 8, 3])),
  "integers": _noise(lambda g: g.uniform([8, 8, 3], 0, 1000, dtype=tf.int32)),
  "all integers": _noise(
    lambda g: g.uniform_full_int([8, 8, 3], dtype=tf.uint32)
  ),
  "seeds": _noise(
    lambda g: tf.random.stateless_uniform([8, 8, 3], g.make_seeds(1)[:, 0])
  ),
}


@pytest.mark.parametrize("name", _DRAWS)
def test_generators_become_plain_random_ops(name):
  traced = trace(_DRAWS[name])
  assert randomness.random_state(traced.graph_def, traced.variables)
  case = traced.portable()
  assert not case.variables and not case.updates()
  first, second = run(case)["fetch0"], run(case)["fetch0"]
  assert np.isfinite(first).all()
  assert not np.allclose(first, second)
  assert randomness.random_ops(case.graph_def, case.outputs)


def test_dropout_of_keras_has_no_state_and_keeps_half_of_the_images():
  case = trace_layers(tf.keras.layers.Dropout(0.5)).portable()
  assert not case.variables and not case.updates()
  results = run(case)["fetch0"] / case.images
  kept = np.isclose(results, 2.0)
  assert np.all(kept | (results == 0.0))
  assert 0.35 < kept.mean() < 0.65


def test_one_key_drawn_twice_stays_one_draw():
  generator = _generator()

  def difference(images):
    seed = generator.make_seeds(1)[:, 0]
    shape = tf.shape(images)
    first = tf.random.stateless_normal(shape, seed)
    return first - tf.random.stateless_normal(shape, seed)

  assert not run(trace(difference).portable())["fetch0"].any()


def test_moments_are_those_of_the_distribution():
  generator = _generator()
  traced = trace(lambda x: 0 * x[0, 0, 0, 0] + generator.normal([20000], 3, 2))
  drawn = run(traced.portable())["fetch0"]
  assert abs(drawn.mean() - 3.0) < 0.1
  assert abs(drawn.std() - 2.0) < 0.1


def test_constant_seeds_of_stateless_ops_keep_their_numbers():
  def network(images):
    seed = [1, 2]
    noise = tf.random.stateless_normal([8, 8, 3], seed)
    noise += tf.random.stateless_uniform([8, 8, 3], seed)
    noise += tf.random.stateless_truncated_normal([8, 8, 3], seed)
    whole = tf.random.stateless_uniform([3], seed, 0, 99, dtype=tf.int32)
    return images + noise + tf.cast(whole, tf.float32)

  traced = trace(network)
  case = traced.portable()
  np.testing.assert_array_equal(run(case)["fetch0"], run(traced)["fetch0"])
  assert not randomness.random_ops(case.graph_def, case.outputs)


def test_seeds_of_plain_random_ops_are_dropped():
  case = trace(lambda x: x + tf.random.uniform([], seed=3))
  drawn = [run(case.portable())["fetch0"] for _ in range(2)]
  assert np.allclose(run(case)["fetch0"], run(case)["fetch0"])
  assert not np.allclose(*drawn)


def test_a_weight_that_is_also_a_seed_is_no_random_state():
  step = tf.Variable(3)

  def network(images):
    noise = tf.random.stateless_uniform([3], tf.stack([step, 1]))
    return images * tf.cast(step, tf.float32) + noise

  case = trace(network)
  assert not randomness.random_state(case.graph_def, case.variables)


def test_random_ops_in_branches_are_found():
  def network(images):
    mean = tf.reduce_mean(images)
    noisy = lambda: images + tf.random.uniform([3])  # noqa: E731
    return tf.cond(mean > 0, noisy, lambda: images)

  case = trace(network)
  assert randomness.random_ops(case.graph_def, case.outputs)


def test_nothing_is_random_in_inference():
  case = trace_layers(tf.keras.layers.Dropout(0.5), training=False)
  assert not randomness.random_ops(case.graph_def, case.outputs)
