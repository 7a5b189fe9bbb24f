# SPDX-License-Identifier: Apache-2.0
"""A process that forks exporters, each of which does one job.

Importing TensorFlow takes seconds, and a process that has run an op cannot be
forked: so this one imports, and does nothing else. It reads lists of jobs from
stdin, as JSON, a list a line, and answers with a list of results.

All exporters of a list build their modules first, and begin to export at the
same time. A list of strings in place of a job is a command to run.
A job is a dict:

  target, overwrite   for the export
  value               tells the modules of different exporters apart
  size                how large the module is, in float32 values
  signal, counts      the exporter signals itself there (`Interruptions`)
  delay               seconds after which `signal` is sent from outside
  script              handle signals as the scripts do
  two_renames         as on a file system that cannot exchange directories
  limits              from the name of a limit to its value: set after building
  memory              bytes that may be allocated after building
  user                user id to become

A result is a dict: `ended` is the exit code, negative for a signal, `error` the
name and text of an exception, `fired` how many signals were sent, `kinds` what
was counted, and `seconds` how long the export took.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import traceback
from typing import Any

import hub_image_export as hie
from hub_image_export.command_line import run as command_line
from hub_image_export.files import directory_swap
from hub_image_export.tensorflow_api.compat import tf
from tests.faults.interruptions import Interruptions


def make_spec(value: float, size: int = 0):
  """A small module whose weights depend on `value`; `size` adds weights."""
  kernel = tf.Variable(tf.fill([3, 3, 3, 4], value), name="kernel")
  ballast = tf.Variable(tf.zeros([max(size, 1)]), name="ballast")

  def network(images, is_training=False):
    del is_training
    hidden = tf.nn.conv2d(images, kernel, 2, "SAME")
    return tf.reduce_mean(hidden, [1, 2]) + ballast[0]

  return hie.make_feature_vector_module(network, 12, 10)


def _export(job: dict, spec) -> dict:
  """Does the job; a signal may end the process in its midst."""
  signal.signal(signal.SIGINT, signal.default_int_handler)
  counts = tuple(job.get("counts", ()))
  ticks = Interruptions(job.get("signal", 0), counts)
  watched = ticks if "counts" in job else contextlib.nullcontext()
  script = job.get("script") and command_line.clean_termination()
  error, begin = None, time.monotonic()
  try:
    with script or contextlib.nullcontext(), watched:
      spec.export(job["target"], overwrite=job.get("overwrite", False))
  except BaseException as raised:
    error = f"{type(raised).__name__}: {raised}"
  return {
    "error": error,
    "fired": ticks.fired,
    "kinds": "".join(ticks.kinds),
    "seconds": time.monotonic() - begin,
  }


def _prepare(job: dict) -> None:
  """Takes from the process what the job says."""
  if job.get("two_renames"):
    directory_swap._exchange = lambda a, b: False
  for name, value in job.get("limits", {}).items():
    resource.setrlimit(getattr(resource, name), (value, value))
  if "memory" in job:
    with open("/proc/self/statm") as file:
      used = int(file.read().split()[0]) * resource.getpagesize()
    limit = used + job["memory"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
  if "user" in job:
    os.setgid(job["user"])
    os.setuid(job["user"])


def _child(job: dict, ready: int, go: int, result: int) -> None:
  spec = make_spec(job.get("value", 2.0), job.get("size", 0))
  _prepare(job)
  os.write(ready, b"r")
  os.read(go, 1)
  found = _export(job, spec)
  with open(result, "w") as file:
    json.dump(found, file)


def _fork(job: dict, ready: int, go: int) -> tuple[int, int]:
  """Starts an exporter; returns its id and where its result is to be read."""
  read, write = os.pipe()
  child = os.fork()
  if child:
    os.close(write)
    return child, read
  status = 1
  try:
    os.close(read)
    _child(job, ready, go, write)
    status = 0
  except BaseException:
    with contextlib.suppress(OSError):  # No file can grow, maybe.
      traceback.print_exc()
  finally:
    os.write(ready, b"r")  # Nobody has to wait for one that failed.
    os._exit(status)


def _run(jobs: list[Any]) -> list[dict]:
  if isinstance(jobs[0], list):
    return [{"ended": subprocess.call(command)} for command in jobs]
  ready, has_ready = os.pipe()
  go, lets_go = os.pipe()
  children = [_fork(job, has_ready, go) for job in jobs]
  for _ in jobs:
    os.read(ready, 1)
  os.write(lets_go, b"g" * len(jobs))
  for job, (child, _) in zip(jobs, children):
    if "delay" in job:
      time.sleep(job["delay"])
      os.kill(child, job["signal"])
  results = [_result(*child) for child in children]
  for file in (ready, has_ready, go, lets_go):
    os.close(file)
  return results


def _result(child: int, read: int) -> dict:
  with open(read) as file:
    text = file.read()
  status = os.waitpid(child, 0)[1]
  found = {"error": None, "fired": 1, "kinds": "", "seconds": 0.0}
  found.update(json.loads(text or "{}"))
  killed = os.WIFSIGNALED(status)
  found["ended"] = -os.WTERMSIG(status) if killed else os.WEXITSTATUS(status)
  return found


def main() -> None:
  print("ready", flush=True)
  for line in sys.stdin:
    print(json.dumps(_run(json.loads(line))), flush=True)


if __name__ == "__main__":
  main()
