# SPDX-License-Identifier: Apache-2.0
"""The process in which a module is read and run.

A module can crash TensorFlow, or keep it busy for ever. So each line of the
result file is complete when it is written: what was found before a crash is
not lost. Lines are JSON objects with one key: `stage`, `finding`, `summary`,
`unusable` (the check itself cannot run) or `done`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import sys
from typing import Any

from hub_image_export import contract

# Address space beyond what the interpreter and TensorFlow take: constant, and
# per byte of the module.
_EXTRA_BYTES = 8 * 2**30
_EXTRA_PER_BYTE = 12
# Of any file that is written here: the results, and what TensorFlow prints.
_MAX_FILE_BYTES = 2**26
_MAX_ENTRIES = 10_000
_BLOCK = 512  # The unit of st_blocks, on any file system.


def limit_resources(directory: str) -> None:
  """Bounds this process's memory and files, where the system can do that.

  What a module prints goes to a file; a loop could fill the disk with it.
  """
  try:
    import resource
  except ImportError:
    return
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


def main(argv: list[str]) -> None:
  """`argv[1]`: the path of the result file; `argv[2]`: the request."""
  request = json.loads(argv[2])
  with open(argv[1], "w", encoding="utf-8", buffering=1) as results:

    def tell(key: str, value: Any) -> None:
      results.write(json.dumps({key: value}) + "\n")

    try:
      from hub_image_export.checker.judging import check
      from hub_image_export.checker.report import Findings
      from hub_image_export.tensorflow_api.compat import tf

      tf.get_logger().setLevel("ERROR")
    except ImportError as error:
      tell("unusable", str(error))
      return
    if sys.platform.startswith("linux"):
      limit_resources(request["directory"])
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
  main(sys.argv)
