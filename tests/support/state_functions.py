# SPDX-License-Identifier: Apache-2.0
"""Functions in the manner of TF1, whose order is that of edges alone."""

from __future__ import annotations

from collections.abc import Callable

from hub_image_export.tensorflow_api.compat import tf
from tests.support.live import Source

v1 = tf.compat.v1
SOURCES: dict[str, Callable[[], Source]] = {}


def _source(make):
  SOURCES[make.__name__] = make
  return make


def _tf1(step) -> Source:
  """`step(mean, x)` in training, and `x - mean` in inference.

  Where `step` returns nothing, training gives `x`: a read of the mean that
  nothing orders would see one value or the other.
  """

  def fn(images, is_training):
    kernel = v1.get_variable(
      "kernel",
      [3, 3, 3, 4],
      initializer=v1.random_uniform_initializer(0.1, 0.6, seed=1),
    )
    mean = v1.get_variable(
      "mean",
      [4],
      initializer=v1.random_uniform_initializer(0.1, 0.6, seed=2),
      trainable=False,
    )
    x = tf.reduce_mean(tf.nn.conv2d(images, kernel, 2, "SAME"), [1, 2])
    if not is_training:
      return x - mean
    result = step(mean, x)
    return x if result is None else result

  return Source(fn=fn, owner=None, call=None)


def _update(*entries):
  for entry in entries:
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, entry)


def _toward(mean, x):
  return 0.9 * mean + 0.1 * tf.reduce_mean(x, 0)


@_source
def tf1_read_after_control_dependency() -> Source:
  def step(mean, x):
    with tf.control_dependencies([v1.assign(mean, _toward(mean, x))]):
      return x - mean.read_value()

  return _tf1(step)


@_source
def tf1_output_after_control_dependency() -> Source:
  """The output itself runs the updates, as many networks of TF1 do."""

  def step(mean, x):
    updates = v1.assign_sub(mean, 0.1 * (mean - tf.reduce_mean(x, 0)))
    with tf.control_dependencies([updates]):
      return tf.identity(x)

  return _tf1(step)


@_source
def tf1_read_before_the_update() -> Source:
  """A read that nothing orders behind the update sees the old value."""

  def step(mean, x):
    old = mean.read_value()
    _update(v1.assign(mean, _toward(old, x)))
    return x * old

  return _tf1(step)


@_source
def tf1_value_of_the_assignment() -> Source:
  def step(mean, x):
    new = v1.assign(mean, _toward(mean, x))
    _update(new)
    return x - tf.identity(new)

  return _tf1(step)


@_source
def tf1_ordered_writes() -> Source:
  def step(mean, x):
    with tf.control_dependencies([v1.assign_add(mean, 0.5 * mean)]):
      _update(v1.assign(mean, 0.5 * (mean.read_value() + 1.0)))
    return x

  return _tf1(step)


@_source
def tf1_update_in_cond() -> Source:
  def step(mean, x):
    _update(
      tf.cond(
        tf.reduce_mean(x) > 0.0,
        lambda: v1.assign(mean, _toward(mean, x)),
        mean.read_value,
      )
    )

  return _tf1(step)


@_source
def tf1_update_in_other_branch() -> Source:
  def step(mean, x):
    _update(
      tf.cond(
        tf.reduce_mean(x) > 99.0,
        lambda: v1.assign(mean, _toward(mean, x)),
        mean.read_value,
      )
    )

  return _tf1(step)


@_source
def tf1_update_in_loop() -> Source:
  def step(mean, x):
    def body(i):
      with tf.control_dependencies([v1.assign(mean, _toward(mean, x))]):
        return i + 1

    _update(tf.while_loop(lambda i: i < 3, body, [0]))

  return _tf1(step)


@_source
def tf1_scatter_update() -> Source:
  def step(mean, x):
    _update(v1.scatter_update(mean, [1, 3], tf.reduce_mean(x, 0)[:2]))
    _update(v1.scatter_nd_add(mean, [[0]], [0.5]))

  return _tf1(step)


@_source
def tf1_group() -> Source:
  def step(mean, x):
    count = v1.get_variable(
      "count", [], tf.int64, v1.zeros_initializer(), trainable=False
    )
    updates = [
      v1.assign(mean, _toward(mean, x)),
      v1.assign_add(count, tf.ones([], tf.int64)),
    ]
    _update(tf.group(*updates))

  return _tf1(step)


@_source
def tf1_write_that_nothing_runs() -> Source:
  def step(mean, x):
    other = v1.get_variable(
      "other", [4], initializer=v1.ones_initializer(), trainable=False
    )
    v1.assign(other, 2.0 * other)
    _update(v1.assign(mean, _toward(mean, x)))
    return x * other

  return _tf1(step)


@_source
def tf1_moving_average() -> Source:
  """An average of a variable that is assigned in the same step."""

  def step(mean, x):
    average = v1.train.ExponentialMovingAverage(0.9)
    with tf.control_dependencies([v1.assign(mean, _toward(mean, x))]):
      _update(average.apply([mean]))
    # Modules do not have the collection that TensorFlow fills for it.
    v1.get_collection_ref(v1.GraphKeys.MOVING_AVERAGE_VARIABLES).clear()
    return x

  return _tf1(step)


@_source
def tf1_written_beside_the_result_of_cond() -> Source:
  """What a branch does, not what it returns, is the update."""

  def step(mean, x):
    def branch():
      with tf.control_dependencies([v1.assign(mean, _toward(mean, x))]):
        return tf.constant(1.0)

    return x * tf.cond(tf.reduce_mean(x) > 0.0, branch, lambda: 2.0)

  return _tf1(step)


@_source
def tf1_equal_penalties() -> Source:
  def step(mean, x):
    _update(v1.assign(mean, _toward(mean, x)))

  inner = _tf1(step)

  def fn(images, is_training):
    result = inner.fn(images, is_training)
    for _ in range(2):
      with v1.variable_scope("", reuse=True):
        kernel = v1.get_variable("kernel")
      v1.add_to_collection(
        v1.GraphKeys.REGULARIZATION_LOSSES, 0.1 * tf.reduce_sum(kernel**2)
      )
    return result

  return Source(fn=fn, owner=None, call=None)


@_source
def tf1_counter_decides() -> Source:
  def step(mean, x):
    steps = v1.get_variable(
      "steps", [], tf.int64, v1.zeros_initializer(), trainable=False
    )
    with tf.control_dependencies([v1.assign_add(steps, 1)]):
      weight = 1.0 / (1.0 + tf.cast(steps.read_value(), tf.float32))
    new = (1.0 - weight) * mean + weight * tf.reduce_mean(x, 0)
    _update(v1.assign(mean, new))

  return _tf1(step)


@_source
def tf1_update_in_case() -> Source:
  def step(mean, x):
    bright = tf.reduce_mean(x)
    cases = [
      (bright > 99.0, lambda: v1.assign(mean, 0.0 * mean)),
      (bright > 0.0, lambda: v1.assign_add(mean, tf.reduce_mean(x, 0))),
    ]
    _update(v1.case(cases, default=mean.read_value))

  return _tf1(step)


@_source
def tf1_power_iteration() -> Source:
  def step(mean, x):
    options = {"initializer": v1.random_uniform_initializer(0.1, 0.6, seed=3)}
    weights = v1.get_variable("weights", [4, 4], **options)
    u = v1.get_variable("u", [1, 4], trainable=False, **options)
    v = tf.nn.l2_normalize(tf.matmul(u, weights, transpose_b=True))
    new = tf.nn.l2_normalize(tf.matmul(v, weights))
    sigma = tf.matmul(tf.matmul(v, weights), new, transpose_b=True)
    with tf.control_dependencies([v1.assign(u, tf.stop_gradient(new))]):
      return x @ (weights / sigma)

  return _tf1(step)


def _of_tensors(normalized) -> Source:
  """`normalized(x, average, apply, is_training)`: batch norm by hand, with
  averages of tensors, which have no values but zero at first.
  """

  def fn(images, is_training):
    kernel = v1.get_variable(
      "kernel",
      [3, 3, 3, 4],
      initializer=v1.random_uniform_initializer(0.1, 0.6, seed=1),
    )
    x = tf.reduce_mean(tf.nn.conv2d(images, kernel, 2, "SAME"), [1, 2])
    mean, variance = tf.nn.moments(x, [0])
    averages = tf.train.ExponentialMovingAverage(0.9)
    apply = averages.apply([mean, variance])
    mean, variance = normalized(
      (mean, variance), averages.average, apply, is_training
    )
    return x * tf.nn.batch_normalization(x, mean, variance, None, None, 1e-3)

  return Source(fn=fn, owner=None, call=None)


@_source
def tf1_averages_of_tensors() -> Source:
  def normalized(moments, average, apply, is_training):
    if not is_training:
      return map(average, moments)
    _update(apply)
    return moments

  return _of_tensors(normalized)


@_source
def tf1_averages_of_tensors_after_control_dependency() -> Source:
  def normalized(moments, average, apply, is_training):
    if not is_training:
      return map(average, moments)
    with tf.control_dependencies([apply]):
      return [tf.identity(moment) for moment in moments]

  return _of_tensors(normalized)
