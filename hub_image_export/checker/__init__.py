# SPDX-License-Identifier: Apache-2.0
"""An independent judge of image modules, whoever made them.

It takes nothing from the exporter, so that it cannot inherit its mistakes.
What both stand on are the contract's names, the checks of arguments, the
readers of files that nobody vouches for (`untrusted`) and TensorFlow's own
names (`tensorflow_api`).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence

from hub_image_export import arguments
from hub_image_export.checker.reading.directory_rules import check_files
from hub_image_export.checker.report import Finding, Findings, Report, in_order
from hub_image_export.checker.runner import Worker, Workers
from hub_image_export.untrusted.archive import ArchiveError, is_archive, unpack

__all__ = [
  "Begin",
  "DEFAULT_TIMEOUT",
  "Finding",
  "Report",
  "check_module",
  "check_modules",
  "checked_beside",
  "prepared",
]

# Seconds. EfficientNetB7 at 600 x 600 takes about one minute on two cores.
DEFAULT_TIMEOUT = 600.0
_MODULE = "a module, or of an archive of one"


def check_module(
  path: str | os.PathLike[str],
  *,
  static: bool = False,
  timeout: float = DEFAULT_TIMEOUT,
) -> Report:
  """Checks a module, in TF1 Hub format or TF2's, against the contract.

  Reads its files and runs it, in a process of its own, whose memory is
  bounded. No module makes this function raise.

  Args:
    path: a directory, or a tar archive of one (compressed or not).
    static: only read the files; run nothing.
    timeout: seconds, after which the module is given up.

  Returns:
    A `Report` with everything that was found.

  Raises:
    TypeError: an argument is of the wrong type.
    ValueError: `path` is empty, or `timeout` not positive.
    ImportError: TensorFlow or tensorflow_hub cannot be used.
  """
  path = arguments.check_path("path", path, _MODULE)
  arguments.check_bool("static", static)
  timeout = arguments.check_seconds("timeout", timeout)
  return _check(path, static, timeout, _WORKERS)


def check_modules(
  paths: Sequence[str], *, static: bool, timeout: float, jobs: int
) -> Iterator[Report]:
  """Checks modules as `check_module` does; yields reports as paths come.

  Each is read and run in a process of its own: a fork of one of `jobs` that
  have TensorFlow imported, so that many small modules take little more than
  one. Each may take all of the memory, and as many threads as there are cores.
  """
  paths = [arguments.check_path("path", path, _MODULE) for path in paths]
  timeout = arguments.check_seconds("timeout", timeout)
  workers = Workers()
  with workers.prepared(), concurrent.futures.ThreadPoolExecutor(jobs) as pool:
    pending = [
      pool.submit(_check, path, static, timeout, workers) for path in paths
    ]
    try:
      for report in pending:
        yield report.result()
    finally:
      pool.shutdown(wait=False, cancel_futures=True)
      workers.end()


# Those that `check_module` takes.
_WORKERS = Workers()
prepared = _WORKERS.prepared
# Starts the check of a directory, and gives what waits for its report.
Begin = Callable[[str], Callable[[], Report]]


@contextlib.contextmanager
def checked_beside() -> Iterator[Begin]:
  """Lets a module be checked while this process does something else.

  The check's process starts at once, and imports TensorFlow. What is not done
  when the body fails is given up.
  """
  with (
    _WORKERS.one() as worker,
    concurrent.futures.ThreadPoolExecutor(1) as pool,
  ):

    def begin(path: str) -> Callable[[], Report]:
      return pool.submit(_judge, worker, path, False, DEFAULT_TIMEOUT).result

    try:
      yield begin
    except BaseException:
      worker.kill()
      raise


def _judge(worker: Worker, path: str, static: bool, timeout: float) -> Report:
  """The report of a directory."""
  findings = Findings()
  summary = worker.check(path, static, timeout, findings)
  return Report(path, in_order(findings.all), summary)


def _check(path: str, static: bool, timeout: float, workers: Workers) -> Report:
  findings = Findings()
  with contextlib.ExitStack() as stack:
    directory = path
    try:
      if not os.path.isdir(path) and is_archive(path):
        temporary = tempfile.TemporaryDirectory(prefix="check_module_")
        directory = stack.enter_context(temporary)
        unpack(path, directory)
      if os.path.isdir(directory):
        worker = stack.enter_context(workers.one())
        report = _judge(worker, directory, static, timeout)
        return dataclasses.replace(report, path=path)
      check_files(path, findings)
    except ArchiveError as error:
      findings.add(error.rule, error.where, str(error))
  return Report(path, in_order(findings.all))
