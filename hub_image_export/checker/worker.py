# SPDX-License-Identifier: Apache-2.0
"""The process in which modules are read and run.

It imports TensorFlow, and then judges what it is asked to, one module after
another, each in a fork that ends with it. A module can crash TensorFlow, or
keep it busy for ever. So each line of the file of results is complete when it
is written: what was found before a crash is not lost. Lines are JSON objects
with one key: `stage`, `finding`, `summary` or `done`.

Requests come by stdin, a line of JSON each: `directory`, `static`, and where
the `results` go. What is told on stdout is a line for each: the `status` with
which the fork ended, or once, why TensorFlow is `unusable`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import itertools
import json
import os
import sys
from typing import IO, Any

from hub_image_export import contract
from hub_image_export.tensorflow_api import without_keras

# Address space beyond what the interpreter and TensorFlow take: constant, and
# per byte of the module.
_EXTRA_BYTES = 8 * 2**30
_EXTRA_PER_BYTE = 12
# Of any file that is written here, such as the results.
_MAX_FILE_BYTES = 2**26
_MAX_ENTRIES = 10_000
_BLOCK = 512  # The unit of st_blocks, on any file system.


def limit_resources(directory: str) -> None:
  """Bounds this process's memory and files."""
  import resource

  with open("/proc/self/statm") as statm:
    taken = int(statm.read().split()[0]) * resource.getpagesize()
  memory = taken + _EXTRA_BYTES + _EXTRA_PER_BYTE * stored_bytes(directory)
  for limit, most in (
    (resource.RLIMIT_AS, memory),
    (resource.RLIMIT_FSIZE, _MAX_FILE_BYTES),
    (resource.RLIMIT_CORE, 0),
  ):
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
      most = min(most, hard)
    resource.setrlimit(limit, (most, hard))


def stored_bytes(directory: str) -> int:
  """What the graph and the weights take on the disk; holes do not count."""
  total = 0
  for name in ("", os.path.dirname(contract.VARIABLES_PREFIX)):
    with (
      contextlib.suppress(OSError),
      os.scandir(os.path.join(directory, name)) as entries,
    ):
      for entry in itertools.islice(entries, _MAX_ENTRIES):
        with contextlib.suppress(OSError):
          status = entry.stat()
          total += min(status.st_size, status.st_blocks * _BLOCK)
  return total


def main() -> None:
  """Judges what it is asked to, until nobody asks any more."""
  with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as told:
    # TensorFlow may write to what it takes for stdout.
    _become(1, os.devnull)
    gc.disable()
    try:
      with without_keras.left_out():
        from hub_image_export.checker import judging  # noqa: F401
    except ImportError as error:
      told.write(json.dumps({"unusable": str(error)}) + "\n")
      return
    gc.freeze()  # All that is imported stays: nobody need look through it.
    gc.enable()
    for line in sys.stdin:
      status = _judge_apart(json.loads(line), told)
      told.write(json.dumps({"status": status}) + "\n")
      if not _CAN_FORK:
        return


# Elsewhere, forks of processes that have loaded as much may not even start.
_CAN_FORK = sys.platform.startswith("linux")


def _judge_apart(request: dict[str, Any], told: IO[str]) -> int:
  """Judges in a fork; the status with which that ended.

  TensorFlow has no threads before it has run something.
  """
  if not _CAN_FORK:
    _judge(request)
    return 0
  child = os.fork()
  if child:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
  status = 1
  try:
    told.close()
    for number in (0, 2):
      _become(number, os.devnull)
    limit_resources(request["directory"])
    _judge(request)
    status = 0
  finally:
    os._exit(status)


def _become(number: int, path: str) -> None:
  """Lets a file descriptor be that of `path`."""
  descriptor = os.open(path, os.O_RDWR)
  os.dup2(descriptor, number)
  os.close(descriptor)


def _judge(request: dict[str, Any]) -> None:
  """Judges one module, and writes what is found to the file of results."""
  from hub_image_export.checker.judging import check
  from hub_image_export.checker.report import Findings
  from hub_image_export.tensorflow_api.compat import tf

  with open(request["results"], "w", encoding="utf-8", buffering=1) as results:

    def tell(key: str, value: Any) -> None:
      results.write(json.dumps({key: value}) + "\n")

    tf.get_logger().setLevel("ERROR")
    findings = Findings(lambda f: tell("finding", dataclasses.asdict(f)))
    summary = check(
      request["directory"],
      request["static"],
      findings,
      lambda name: tell("stage", name),
    )
    tell("summary", summary)
    tell("done", True)


if __name__ == "__main__":
  main()
