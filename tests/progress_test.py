# SPDX-License-Identifier: Apache-2.0
"""Progress: on a terminal, after a while, and never in a pipe."""

from __future__ import annotations

import io

import pytest

from hub_image_export import progress


class Terminal(io.StringIO):
  def isatty(self):
    return True


@pytest.fixture
def clock(monkeypatch):
  now = [0.0]
  monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
  return now


def work(clock, seconds, stream):
  for _ in progress.shown([1, 3], "Working", lambda n: n, stream):
    clock[0] += seconds


def test_slow_work_on_a_terminal(clock):
  stream = Terminal()
  work(clock, 3, stream)
  assert "\rWorking: 25%" in stream.getvalue()
  assert stream.getvalue().endswith(" \r")


def test_quick_work_is_silent(clock):
  stream = Terminal()
  work(clock, 0.5, stream)
  assert stream.getvalue() == ""


def test_a_pipe_stays_quiet(clock):
  stream = io.StringIO()
  work(clock, 10, stream)
  assert stream.getvalue() == ""


def test_all_items_come(clock):
  for stream in (io.StringIO(), Terminal()):
    assert list(progress.shown("abc", "x", stream=stream)) == list("abc")


def test_the_line_is_wiped_after_an_error(clock):
  stream = Terminal()
  with pytest.raises(KeyError):
    for i in progress.shown([1, 2], "Working", stream=stream):
      clock[0] += 3
      if i == 2:
        raise KeyError
  assert stream.getvalue().endswith(" \r")


def test_what_begins_is_told():
  stream = Terminal()
  progress.tell("Verifying", stream)
  assert stream.getvalue() == "Verifying …\n"


def test_what_begins_is_not_told_in_a_pipe():
  stream = io.StringIO()
  progress.tell("Verifying", stream)
  assert stream.getvalue() == ""
