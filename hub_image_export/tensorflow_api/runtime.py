# SPDX-License-Identifier: Apache-2.0
"""What holds for the whole process, or for a thread: the log, eager execution.

Both are left as they were.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from hub_image_export.errors import ImageExportError
from hub_image_export.tensorflow_api import tf1_rules
from hub_image_export.tensorflow_api.compat import tf

Result = TypeVar("Result")


class _Silence:
  """TensorFlow's log without warnings, while anybody wants it so."""

  def __init__(self) -> None:
    self._lock = threading.Lock()
    self._wanted_by = 0
    self._level = 0

  def begin(self) -> None:
    with self._lock:
      if self._wanted_by == 0:
        self._level = tf.get_logger().level
        tf.get_logger().setLevel("ERROR")
      self._wanted_by += 1

  def end(self) -> None:
    with self._lock:
      self._wanted_by -= 1
      if self._wanted_by == 0:
        tf.get_logger().setLevel(self._level)


_silence = _Silence()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Keeps TensorFlow from telling of each old function that hub 0.15 uses.

  The logger is the process's: when the last thread leaves, it has the level
  again that it had when the first one entered.
  """
  _silence.begin()
  try:
    yield
  finally:
    _silence.end()


def run_eagerly(function: Callable[[], Result]) -> Result:
  """Runs `function` eagerly, also in a TF1 graph or a strategy's scope.

  In the scope of a `tf.distribute.Strategy` traces would make and read
  variables of replicas, whose handles are no trace's.

  Shapes are those of TensorFlow 2 in it, whatever the process has asked for.

  Raises:
    ImageExportError: eager execution is disabled for the whole process.
  """

  def run() -> Result:
    with tf1_rules.ours():
      return function()

  if tf.executing_eagerly() and not tf.distribute.has_strategy():
    return run()
  with concurrent.futures.ThreadPoolExecutor(1) as pool:
    # Graphs, sessions and strategies are a thread's, not the process's.
    if pool.submit(tf.executing_eagerly).result():
      return pool.submit(run).result()
  raise ImageExportError(
    "eager execution is disabled in this process (tf.compat.v1."
    "disable_v2_behavior or disable_eager_execution), so that variables have "
    "no values: expected it enabled. Export in a process of its own, by "
    "command line: export_module --model=file.py:name --height=… --width=… "
    "--export_path=…, where name is the function on images. That file may call "
    "both; they hold for its own functions"
  )
