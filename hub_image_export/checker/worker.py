"""The process in which a module is read and run.

A module can crash TensorFlow, or keep it busy for ever. So each line of the
result file is complete when it is written: what was found before a crash is
not lost. Lines are JSON objects with one key: `stage`, `finding`, `summary`,
`unusable` (the check itself cannot run) or `done`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import Any, Callable

# Address space beyond what the interpreter and TensorFlow take: constant, and
# per byte of the module.
_EXTRA_BYTES = 8 * 2**30
_EXTRA_PER_BYTE = 12


def check(
  directory: str,
  static: bool,
  findings: Any,
  stage: Callable[[str], None],
) -> dict[str, Any]:
  """Checks a directory in this process; imports TensorFlow.

  Returns:
    The summary; empty where there is no module.
  """
  from hub_image_export.checker import static as static_rules
  from hub_image_export.checker.running import check_by_running
  from hub_image_export.checker.summarise import summarise

  stage("reading the files")
  module = static_rules.check_static(directory, findings)
  if module is None:
    return {}
  summary = static_rules.guarded(summarise, findings, module) or {}
  if not static:
    reason = check_by_running(module, findings, stage)
    if summary:
      summary.update(ran=reason is None, why_not_run=reason)
  if findings.omitted and summary:
    summary["omitted_findings"] = dict(findings.omitted)
  return summary


def limit_memory(directory: str) -> None:
  """Bounds this process's address space, where the system can do that."""
  try:
    import resource
  except ImportError:
    return
  size = 0
  for parent, _, names in os.walk(directory):
    for name in names:
      path = os.path.join(parent, name)
      size += os.lstat(path).st_size
  with open("/proc/self/statm") as statm:
    taken = int(statm.read().split()[0]) * resource.getpagesize()
  limit = taken + _EXTRA_BYTES + _EXTRA_PER_BYTE * size
  _, hard = resource.getrlimit(resource.RLIMIT_AS)
  if hard != resource.RLIM_INFINITY:
    limit = min(limit, hard)
  resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def main(argv: list[str]) -> None:
  """`argv[1]`: the path of the result file; `argv[2]`: the request."""
  request = json.loads(argv[2])
  with open(argv[1], "w", encoding="utf-8", buffering=1) as results:

    def tell(key: str, value: Any) -> None:
      results.write(json.dumps({key: value}) + "\n")

    try:
      from hub_image_export.checker.report import Findings
      from hub_image_export.compat import tf

      tf.get_logger().setLevel("ERROR")
    except ImportError as error:
      tell("unusable", str(error))
      return
    if sys.platform.startswith("linux"):
      limit_memory(request["directory"])
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
