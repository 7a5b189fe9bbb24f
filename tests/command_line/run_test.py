# SPDX-License-Identifier: Apache-2.0
"""What the scripts share: how signals end them."""

from __future__ import annotations

import signal
import threading

import pytest
from absl import flags

from hub_image_export.command_line import run as command_line


def run(main):
  return command_line.run(main, flags.FlagValues(), "Manual.", ["script"])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_as_an_exception(name, capsys):
  """So that a `with` block cleans up, as it does after Ctrl-C."""
  number, cleaned = getattr(signal, name), []

  def main(argv):
    try:
      signal.raise_signal(number)
    finally:
      # A second one does not wait for the cleaning up.
      cleaned.append(signal.getsignal(number))

  before = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP.
  try:
    assert run(main) == command_line.EXIT_UNUSABLE
  finally:
    signal.signal(number, before)
  assert cleaned == [signal.SIG_DFL]
  assert capsys.readouterr().err == f"script: ended by {name}\n"


def test_handlers_are_as_before_in_the_end():
  before = signal.getsignal(signal.SIGTERM)
  assert run(lambda argv: 0) == 0
  assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored(monkeypatch):
  """As nohup wants it."""
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    assert run(lambda argv: signal.raise_signal(signal.SIGHUP)) == 0
  finally:
    signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone():
  codes = []
  thread = threading.Thread(target=lambda: codes.append(run(lambda argv: 0)))
  thread.start()
  thread.join()
  assert codes == [0]
