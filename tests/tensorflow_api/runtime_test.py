# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's log and eager execution are left as they were."""

from __future__ import annotations

import threading

import pytest

from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet, run_eagerly


@pytest.fixture(autouse=True)
def _level():
  logger = tf.get_logger()
  before = logger.level
  logger.setLevel("INFO")
  yield
  logger.setLevel(before)


def _level_now() -> int:
  return tf.get_logger().level


def test_quiet_is_quiet_and_ends_with_errors():
  before = _level_now()
  with pytest.raises(KeyError), quiet():
    assert _level_now() > before
    raise KeyError
  assert _level_now() == before


def test_quiet_within_quiet():
  before = _level_now()
  with quiet():
    with quiet():
      pass
    assert _level_now() > before
  assert _level_now() == before


def test_threads_that_overlap_leave_the_level_as_it_was():
  """The second one enters while the first is in, and leaves after it."""
  before = _level_now()
  entered, left = threading.Event(), threading.Event()
  meanwhile = []

  def second():
    with quiet():
      entered.set()
      left.wait()
      meanwhile.append(_level_now())

  thread = threading.Thread(target=second)
  with quiet():
    thread.start()
    entered.wait()
  left.set()
  thread.join()
  assert meanwhile[0] > before
  assert _level_now() == before


def test_eager_even_inside_of_a_graph():
  assert run_eagerly(tf.executing_eagerly)
  with tf.Graph().as_default():
    assert not tf.executing_eagerly()
    assert run_eagerly(tf.executing_eagerly)
    assert run_eagerly(lambda: 5) == 5
