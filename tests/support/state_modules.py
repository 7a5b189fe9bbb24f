# SPDX-License-Identifier: Apache-2.0
"""Functions on variables of a `tf.Module` that change them in all ways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hub_image_export.tensorflow_api.compat import tf
from tests.support.live import Source

SOURCES: dict[str, Callable[[], Source]] = {}


def _source(make):
  SOURCES[make.__name__] = make
  return make


def _stateful(step, **values) -> Source:
  """`step(state, x, images)` in training; the kernel is what is trained.

  Outside of training, `step` gets None for the images.
  """
  state = tf.Module("state")
  random = np.random.RandomState(3)
  kernel = random.uniform(0.1, 0.6, (3, 3, 3, 4)).astype(np.float32)
  state.kernel = tf.Variable(kernel, name="kernel")
  for name, value in values.items():
    trainable = name.startswith("trained")
    variable = tf.Variable(value, name=name, trainable=trainable)
    setattr(state, name, variable)

  def fn(images, is_training):
    x = tf.nn.relu(tf.nn.conv2d(images, state.kernel, 2, "SAME"))
    x = tf.reduce_mean(x, [1, 2])
    return step(state, x, images if is_training else None)

  return Source(fn=fn, owner=state, call=fn)


@_source
def running_mean_used_at_once() -> Source:
  def step(state, x, images):
    if images is not None:
      mean = tf.reduce_mean(x, 0)
      state.mean.assign(0.9 * state.mean + 0.1 * mean)
    return x - state.mean

  return _stateful(step, mean=tf.ones([4]))


@_source
def read_before_and_after() -> Source:
  def step(state, x, images):
    before = state.mean + 0.0
    if images is not None:
      state.mean.assign_sub(0.1 * (state.mean - tf.reduce_mean(x, 0)))
      x = x * state.mean
      state.mean.assign_add(0.5 * state.mean)
    return x - state.mean + 2.0 * before

  return _stateful(step, mean=tf.ones([4]))


@_source
def trained_value_assigned() -> Source:
  """Weights are clipped in the forward pass: gradients reach the variable."""

  def step(state, x, images):
    if images is not None:
      state.trained.assign(tf.clip_by_value(state.trained, -0.5, 0.5))
    return x @ state.trained + tf.reduce_sum(state.trained**2)

  weights = np.random.RandomState(1).normal(size=(4, 3)).astype(np.float32)
  return _stateful(step, trained=weights)


@_source
def power_iteration() -> Source:
  def step(state, x, images):
    u = state.u
    w = state.trained
    if images is not None:
      for _ in range(2):
        v = tf.math.l2_normalize(tf.linalg.matvec(w, u, transpose_a=True))
        u.assign(tf.math.l2_normalize(tf.linalg.matvec(w, v)))
    sigma = tf.norm(tf.linalg.matvec(w, tf.stop_gradient(u), transpose_a=True))
    return x @ (w / sigma)

  weights = np.random.RandomState(1).normal(size=(4, 3)).astype(np.float32)
  return _stateful(step, trained=weights, u=tf.fill([4], 0.5))


@_source
def data_dependent_initialization() -> Source:
  def step(state, x, images):
    if images is not None:

      def initialize():
        state.trained_scale.assign(1.0 / (tf.math.reduce_std(x, 0) + 0.1))
        state.trained_shift.assign(-tf.reduce_mean(x, 0))
        return state.initialized.assign(True)

      tf.cond(state.initialized, lambda: True, initialize)
    return (x + state.trained_shift) * state.trained_scale

  return _stateful(
    step,
    trained_scale=tf.ones([4]),
    trained_shift=tf.zeros([4]),
    initialized=False,
  )


@_source
def quantization_ranges() -> Source:
  def step(state, x, images):
    if images is not None:
      low = tf.minimum(state.low, tf.reduce_min(x))
      high = tf.maximum(state.high, tf.reduce_max(x))
      state.low.assign(0.99 * state.low + 0.01 * low)
      state.high.assign(0.99 * state.high + 0.01 * high)
    return tf.quantization.fake_quant_with_min_max_vars(
      x, state.low, state.high
    )

  return _stateful(step, low=-1.0, high=1.0)


@_source
def counter_decides() -> Source:
  """A decay by the number of steps, as in polyak averaging."""

  def step(state, x, images):
    if images is not None:
      state.steps.assign_add(1)
      n = tf.cast(state.steps, tf.float32)
      decay = tf.minimum(0.99, (1.0 + n) / (10.0 + n))
      state.mean.assign(decay * state.mean + (1 - decay) * tf.reduce_mean(x, 0))
    return x + state.mean

  return _stateful(step, mean=tf.ones([4]), steps=np.int64(0))


@_source
def written_and_never_read() -> Source:
  def step(state, x, images):
    if images is not None:
      state.last.assign(tf.reduce_mean(x, 0))
      state.seen.assign_add(tf.shape(images)[0])
    return 2.0 * x

  return _stateful(step, last=tf.zeros([4]), seen=0)


@_source
def scattered() -> Source:
  """Class centers: rows are updated, then gathered."""

  def step(state, x, images):
    rows = tf.argmax(x, 1)
    if images is not None:
      state.centers.scatter_update(tf.IndexedSlices(x, rows))
      state.centers.scatter_sub(tf.IndexedSlices(0.5 * x, rows))
      state.counts.scatter_nd_add(rows[:, tf.newaxis], tf.ones_like(rows))
    counts = tf.cast(tf.gather(state.counts, rows), tf.float32)
    return tf.gather(state.centers, rows) + x * counts[:, tf.newaxis]

  return _stateful(
    step, centers=tf.ones([4, 4]), counts=np.zeros([4], np.int64)
  )


@_source
def scattered_only() -> Source:
  """Kinds of which no tensor op exists in every TensorFlow."""

  def step(state, x, images):
    if images is not None:
      rows = tf.constant([0, 2])
      state.largest.scatter_max(tf.IndexedSlices(x[:2], rows))
      state.products.scatter_mul(tf.IndexedSlices(x[:2] + 1.0, rows))
    return x

  return _stateful(step, largest=tf.zeros([4, 4]), products=tf.ones([4, 4]))


@_source
def slices_assigned() -> Source:
  """A queue of features, as in contrastive learning: rows at a pointer."""

  def step(state, x, images):
    if images is not None:
      at = state.pointer.value()
      state.queue[at : at + 1].assign(tf.reduce_mean(x, 0, keepdims=True))
      state.queue[0, 1:3].assign(tf.zeros([2]))
      state.pointer.assign((at + 1) % 4)
    return x @ tf.transpose(state.queue)

  return _stateful(step, queue=tf.ones([4, 4]), pointer=1)


@_source
def slice_assigned_only() -> Source:
  def step(state, x, images):
    if images is not None:
      state.queue[1].assign(tf.reduce_mean(x, 0))
    return x + state.queue[0]

  return _stateful(step, queue=tf.ones([4, 4]))


@_source
def written_in_control_flow() -> Source:
  """Loops, branches in loops, and a function, over the same variables."""

  def step(state, x, images):
    if images is None:
      return x + state.mean

    @tf.function
    def add(y):
      state.count.assign_add(1)
      return y + state.mean

    def body(i, y):
      y = tf.cond(
        i % 2 == 0,
        lambda: add(y),
        lambda: y - state.mean.assign(0.5 * state.mean + tf.reduce_mean(y, 0)),
      )
      return i + 1, y

    _, x = tf.while_loop(lambda i, y: i < 3 + state.count, body, (0, x))
    return x * state.mean

  return _stateful(step, mean=tf.ones([4]), count=0)


@_source
def ema_of_a_module() -> Source:
  """`tf.train.ExponentialMovingAverage` on eager variables."""
  average = tf.train.ExponentialMovingAverage(0.9)

  def step(state, x, images):
    if images is not None:
      state.last.assign(tf.reduce_mean(x, 0))
      average.apply([state.last])
    return x + average.average(state.last)

  source = _stateful(step, last=tf.ones([4]))
  average.apply([source.owner.last])
  source.owner.average = average.average(source.owner.last)
  return source


@_source
def nested_gradients() -> Source:
  """A step that takes gradients itself, of a value read after a write."""

  def step(state, x, images):
    if images is not None:
      state.trained.assign(0.5 * state.trained)
      with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.tanh(x @ state.trained), 1)
      return x + tape.gradient(y, x)
    return x

  weights = np.random.RandomState(1).normal(size=(4, 3)).astype(np.float32)
  return _stateful(step, trained=weights)


@_source
def equal_penalties_of_a_module() -> Source:
  def step(state, x, images):
    if images is not None:
      state.mean.assign(0.9 * state.mean + 0.1 * tf.reduce_mean(x, 0))
    return x + state.mean

  source = _stateful(step, mean=tf.ones([4]))
  kernel = source.owner.kernel
  losses = [lambda: 0.1 * tf.reduce_sum(kernel**2)] * 2

  class Penalized(tf.Module):
    def __init__(self):
      super().__init__()
      self.parts = source.owner
      self.regularization_losses = losses

    def __call__(self, images, is_training):
      return source.fn(images, is_training)

  module = Penalized()
  return Source(fn=module, owner=module, call=module)


@_source
def eager_variables_of_a_function() -> Source:
  """Collections of TF1, variables of TF2: program order counts."""
  mean = tf.Variable(tf.ones([3]), trainable=False, name="mean")
  owner = tf.Module()
  owner.mean = mean

  def fn(images, is_training):
    x = tf.reduce_mean(images, [1, 2])
    if is_training:
      mean.assign(0.9 * mean + 0.1 * tf.reduce_mean(x, 0))
    return x - mean

  return Source(fn=fn, owner=owner, call=fn)


@_source
def swapped() -> Source:
  """Two variables, each assigned what comes from the other."""

  def step(state, x, images):
    if images is not None:
      old = state.a + 0.0
      state.a.assign(state.b)
      state.b.assign(0.5 * old + tf.reduce_mean(x))
    return x + state.a - 2.0 * state.b

  return _stateful(step, a=tf.ones([4]), b=tf.fill([4], 3.0))


@_source
def trained_in_loop() -> Source:
  """Rounds read what the one before assigned; gradients do not follow."""

  def step(state, x, images):
    if images is None:
      return x @ state.trained

    def body(i, y):
      y = tf.tanh(y @ state.trained)
      state.trained.assign(0.9 * state.trained + 0.01 * tf.reduce_sum(y))
      return i + 1, y

    return tf.while_loop(lambda i, y: i < 3, body, (0, x))[1]

  weights = np.random.RandomState(0).normal(size=(4, 4)).astype(np.float32)
  return _stateful(step, trained=0.3 * weights)


@_source
def quantized_to_codes() -> Source:
  """Codes of vectors, averaged over batches, and straight-through gradients."""

  def step(state, x, images):
    codes = state.codes + 0.0
    nearest = tf.argmin(tf.reduce_sum((x[:, None] - codes) ** 2, -1), 1)
    if images is not None:
      chosen = tf.one_hot(nearest, 5)
      counts = 0.9 * state.counts + 0.1 * tf.reduce_sum(chosen, 0)
      state.counts.assign(counts)
      sums = tf.matmul(chosen, x, transpose_a=True)
      state.sums.assign(0.9 * state.sums + 0.1 * sums)
      state.codes.assign(state.sums / (state.counts[:, None] + 1e-3))
    return x + tf.stop_gradient(tf.gather(codes, nearest) - x)

  values = np.random.RandomState(0).uniform(size=(5, 4)).astype(np.float32)
  return _stateful(step, codes=values, sums=values, counts=tf.ones([5]))


@_source
def every_second_step() -> Source:
  def step(state, x, images):
    if images is not None:
      state.steps.assign_add(1)
      tf.cond(
        state.steps % 2 == 0,
        lambda: state.mean.assign(tf.reduce_mean(x, 0)),
        state.mean.value,
      )
    return x * state.mean

  return _stateful(step, mean=tf.ones([4]), steps=0)
