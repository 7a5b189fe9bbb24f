# SPDX-License-Identifier: Apache-2.0
"""Checks modules as `check_module` does, each in a process of its own.

Starting Python and TensorFlow takes seconds. This program imports all once
and then forks a process for each module. It reads paths from stdin, a line
each, and answers each with a line of JSON: `status` as a process ends, and
the `rules` that were broken.

  python -m tests.faults.module_worker static|run SECONDS
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback

# Imported here, to be there in each fork.
from hub_image_export.checker.judging import check
from hub_image_export.checker.report import Findings
from hub_image_export.checker.worker import limit_resources
from hub_image_export.tensorflow_api.compat import tf

_PAUSE = 0.002


def main(kind: str, seconds: float) -> None:
  tf.get_logger().setLevel("ERROR")
  for line in sys.stdin:
    print(json.dumps(_check(line.rstrip("\n"), kind, seconds)), flush=True)


def _check(path: str, kind: str, seconds: float) -> dict[str, object]:
  reader, writer = os.pipe()
  child = os.fork()
  if not child:
    os.close(reader)
    _child(path, kind, writer)
  os.close(writer)
  end = time.monotonic() + seconds
  while True:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
      break
    if time.monotonic() > end:
      os.kill(child, signal.SIGKILL)
      os.waitpid(child, 0)
      os.close(reader)
      return {"status": "timeout", "told": ""}
    time.sleep(_PAUSE)
  with open(reader, encoding="utf-8", errors="replace") as pipe:
    told = pipe.read()
  return {"status": os.waitstatus_to_exitcode(status), "told": told}


def _child(path: str, kind: str, writer: int) -> None:
  """Never returns; tells the rules, or a traceback, in less than 64 KB."""
  status = 1
  try:
    limit_resources(path)
    findings = Findings()
    check(path, kind == "static", findings, lambda name: None)
    rules = {f.rule for f in findings.all if f.severity == "error"}
    os.write(writer, " ".join(sorted(rules)).encode())
    status = 0
  except BaseException:  # noqa: BLE001
    os.write(writer, traceback.format_exc()[-4000:].encode())
  finally:
    os._exit(status)


if __name__ == "__main__":
  main(sys.argv[1], float(sys.argv[2]))
