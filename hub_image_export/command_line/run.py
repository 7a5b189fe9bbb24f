# SPDX-License-Identifier: Apache-2.0
"""What the scripts share: help, flags, exit codes. Imports no TensorFlow.

A script has FlagHolders in a `flags.FlagValues` of its own, a `main(argv)`
that returns an exit code, and `run(main, FLAGS, __doc__)`. With flags of its
own it lists no others in its help, and two scripts in one process (tests)
may both have a `--format`.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import os
import re
import signal
import sys
import textwrap
import threading
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, Callable, NoReturn

from absl import flags

from hub_image_export import version
from hub_image_export.arguments import printable, shown
from hub_image_export.errors import ImageExportError

EXIT_OK = 0
EXIT_UNUSABLE = 1
DEBUG = "debug"
_HELP = frozenset({"-h", "-help", "--help", "--helpfull", "--helpshort"})
_VERSION = frozenset({"-version", "--version"})
# How absl begins: "flag --height=tall: invalid literal for int() …"
_ILLEGAL = re.compile(r"flag --(?P<name>\w+)=(?P<value>.*?): ", re.DOTALL)
_MISSING = re.compile(r"Missing value for flag -+(\w+)")
_EXPECTED_ERRORS = (
  ImageExportError, ImportError, OSError, TypeError, ValueError,
)  # fmt: skip


def run(
  main: Callable[[Sequence[str]], int],
  flag_values: flags.FlagValues,
  doc: str,
  argv: Sequence[str] | None = None,
) -> int:
  """Parses the flags and calls `main` with what is left.

  Args:
    main: gets the program's name and its positional arguments; returns the
      exit code (None for 0).
    flag_values: the script's flags.
    doc: the script's docstring, which is its manual.
    argv: `sys.argv` by default.

  Returns:
    The exit code of `main`; 0 after help; 1 for unusable flags and for errors
    that the user can do something about, which are told on stderr.
  """
  argv = list(sys.argv if argv is None else argv)
  own = argv[: argv.index("--")] if "--" in argv else argv
  if _HELP.intersection(own[1:]):
    tell(_help(flag_values, doc))
    return EXIT_OK
  if _VERSION.intersection(own[1:]):
    tell(f"{_program(argv)} of {', '.join(version.installed())}")
    return EXIT_OK
  try:
    left = _parse(flag_values, argv)
    with clean_termination():
      return main(left) or EXIT_OK
  except flags.IllegalFlagValueError as error:
    return _fail(argv, _illegal_value(flag_values, str(error)))
  except flags.UnrecognizedFlagError as error:
    return _fail(argv, _unknown_flag(flag_values, error.flagname))
  except (flags.Error, *_EXPECTED_ERRORS) as error:
    missing = _MISSING.fullmatch(str(error))
    if missing:
      return _fail(argv, f"--{missing[1]} has no value: expected one after it")
    if DEBUG in flag_values and flag_values[DEBUG].value:
      print(for_terminal(traceback.format_exc()), file=sys.stderr)
    return _fail(argv, str(error))
  except KeyboardInterrupt:
    return _fail(argv, "interrupted")
  except _Terminated as error:
    return _fail(argv, f"ended by {error}")


def import_tensorflow() -> None:
  """Imports it, which --help must not wait for.

  Python looks for garbage no more in what is there then: all of it stays.
  """
  gc.disable()
  try:
    from hub_image_export.tensorflow_api import compat  # noqa: F401

    if not gc.get_freeze_count():
      gc.freeze()
  finally:
    gc.enable()


def end(code: int) -> NoReturn:
  """Ends the process with what `run` gave, and lets its memory be.

  Python looks for garbage once more before it ends. Among the objects of
  TensorFlow and Keras that takes a second, for nothing.
  """
  gc.freeze()
  sys.exit(code)


def define_debug(flag_values: flags.FlagValues) -> None:
  """Defines the flag that `run` looks at when something fails."""
  flags.DEFINE_bool(
    DEBUG,
    False,
    "When something fails, show the whole way that it took, and all that "
    "TensorFlow logs.",
    flag_values=flag_values,
  )


def tell(text: str) -> None:
  """Prints to stdout, as long as anybody reads (`| head`)."""
  try:
    print(text, flush=True)
  except BrokenPipeError:
    # Python flushes once more when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Terminated(BaseException):
  """As KeyboardInterrupt, for the signals that ask a process to end."""


@contextlib.contextmanager
def clean_termination() -> Iterator[None]:
  """Lets SIGTERM and SIGHUP end the block as an exception, which cleans up.

  A second one ends the process at once. A signal that is ignored (nohup) stays
  ignored. Only the main thread can do this; others leave signals as they are.
  """
  names = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP.
  numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
  if threading.current_thread() is not threading.main_thread():
    numbers = []
  numbers = [n for n in numbers if signal.getsignal(n) == signal.SIG_DFL]
  try:
    for number in numbers:
      signal.signal(number, _terminate)
    yield
  finally:
    for number in numbers:
      signal.signal(number, signal.SIG_DFL)


def _terminate(number: int, frame: Any) -> None:
  del frame
  signal.signal(number, signal.SIG_DFL)
  raise _Terminated(signal.Signals(number).name)


def for_terminal(text: str) -> str:
  """`text` in lines, and without what a terminal would take for a command.

  Names in models and paths come from elsewhere.
  """
  return printable(text, kept="\n")


def _parse(flag_values: flags.FlagValues, argv: list[str]) -> list[str]:
  """What is left of `argv`; forgets the values of an earlier call."""
  flag_values.unparse_flags()
  for name in _names(flag_values):
    flag_values[name].unparse()
  left = flag_values(argv)
  for name in _names(flag_values):
    flag = flag_values[name]
    if flag.present and flag.value in ("", []):
      raise ValueError(
        f"--{name}={flag.value or ''} is empty: expected something, or leave "
        "the flag out. Is a shell variable empty?"
      )
  return left


def _names(flag_values: flags.FlagValues) -> list[str]:
  """The flags' long names, in the order of their definition."""
  names = dict.fromkeys(flag_values[name].name for name in flag_values)
  return list(names)


def _help(flag_values: flags.FlagValues, doc: str) -> str:
  lines = [doc.strip(), "", "Flags:"]
  lines += ["  --help, --version", "      Tell what there is, and no more."]
  for name in _names(flag_values):
    flag = flag_values[name]
    boolean = isinstance(flag.default, bool)
    short = f"-{flag.short_name}, " if flag.short_name else ""
    lines.append(f"  {short}--{'[no]' if boolean else ''}{name}")
    text = " ".join((flag.help or "").split())
    if flag.default not in (None, "", [], False):
      text += f" (default: {flag.default})"
    lines += textwrap.wrap(
      text, 78, initial_indent="      ", subsequent_indent="      "
    )
  return "\n".join(lines)


def _unknown_flag(flag_values: flags.FlagValues, name: str) -> str:
  """Names the known flag that is nearest to `name`, or all of them."""
  name = name.split("=", 1)[0]
  names = _names(flag_values)
  near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
  if near:
    return f"--{name} is no flag: did you mean --{near[0]}?"
  known = ", ".join("--" + known for known in sorted(names))
  return f"--{name} is no flag: expected one of {known}"


def _some(parser: flags.ArgumentParser) -> str:
  return "some" if isinstance(parser, flags.ListParser) else "one"


def _illegal_value(flag_values: flags.FlagValues, message: str) -> str:
  """What absl says of a value that a flag cannot take, and what it could."""
  match = _ILLEGAL.match(message)
  if match is None:
    return message
  name = match["name"]
  if name not in flag_values:
    name = name.removeprefix("no")
  if name not in flag_values:
    return message
  parser = flag_values[name].parser
  choices = getattr(parser, "enum_values", None)
  expected = (
    f"{_some(parser)} of {', '.join(choices)}"
    if choices
    else parser.syntactic_help or "true or false"
  )
  return f"--{match['name']} is {shown(match['value'])}: expected {expected}"


def _program(argv: list[str]) -> str:
  return os.path.basename(argv[0]) if argv else "error"


def _fail(argv: list[str], message: str) -> int:
  line = " ".join(message.split())
  print(for_terminal(f"{_program(argv)}: {line}"), file=sys.stderr)
  return EXIT_UNUSABLE
