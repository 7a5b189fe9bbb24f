# SPDX-License-Identifier: Apache-2.0
"""What a check gives: `Finding`s in a `Report`."""

from __future__ import annotations

import collections
import copy
import dataclasses
from collections.abc import Generator
from typing import Any, Callable, TypeVar

from hub_image_export import notebook
from hub_image_export.arguments import printable
from hub_image_export.checker import rules

# A hostile module may have a million defects and names of a megabyte.
MAX_FINDINGS_PER_RULE = 20
MAX_TEXT = 600

# What rules yield: rule, where, message; and a severity, if not the usual one.
Problem = tuple[str, ...]
Found = Generator[Problem, None, None]
Returned = TypeVar("Returned")


def clean(text: object) -> str:
  """`text` in one printable line of bounded length.

  Names in a module are bytes from elsewhere: they may hold line breaks and
  the terminal's escape sequences.
  """
  shown = printable(" ".join(str(text)[: 4 * MAX_TEXT].split()))
  return shown if len(shown) <= MAX_TEXT else shown[: MAX_TEXT - 1] + "…"


@dataclasses.dataclass(frozen=True)
class Finding:
  """One thing to know about a module.

  Attributes:
    rule: a name from `docs/rules.md`.
    severity: `"error"`, `"warning"` or `"info"`.
    where: variant, signature, tensor or file; empty for the whole module.
    message: what was got, what was expected, what to do.
  """

  rule: str
  severity: str
  where: str
  message: str

  def __str__(self) -> str:
    place = f" ({self.where})" if self.where else ""
    return f"{self.rule}{place}: {self.message}"


class Findings:
  """Collects findings, without repetitions, and passes them on at once."""

  def __init__(self, listener: Callable[[Finding], None] | None = None):
    self.all: list[Finding] = []
    self.omitted: collections.Counter[str] = collections.Counter()
    self._listener = listener
    self._seen: set[Finding] = set()
    self._per_rule: collections.Counter[str] = collections.Counter()

  def add(
    self, rule: str, where: object, message: object, severity: str | None = None
  ) -> None:
    severity = severity or rules.RULES[rule].severity
    finding = Finding(rule, severity, clean(where), clean(message))
    if finding in self._seen:
      return
    self._per_rule[rule] += 1
    if self._per_rule[rule] > MAX_FINDINGS_PER_RULE:
      self.omitted[rule] += 1
      return
    self._seen.add(finding)
    self.all.append(finding)
    if self._listener:
      self._listener(finding)

  def extend(self, found: Generator[Problem, None, Returned]) -> Returned:
    """Adds what a rule yields, and gives what it returns."""
    while True:
      try:
        problem = next(found)
      except StopIteration as end:
        return end.value
      self.add(*problem)

  def draft(self) -> Findings:
    """A copy that tells nobody, to be accepted or dropped."""
    return copy.deepcopy(self)

  def accept(self, draft: Findings) -> None:
    """Takes over what a draft of these has more."""
    for finding in draft.all[len(self.all) :]:
      self.add(finding.rule, finding.where, finding.message, finding.severity)
    self.omitted = draft.omitted

  def has(self, *names: str, severity: str = rules.ERROR) -> bool:
    """Whether one of the rules `names` was broken with `severity`."""
    return any(f.rule in names and f.severity == severity for f in self.all)


@dataclasses.dataclass(frozen=True)
class Report:
  """The result of `check_module`.

  Attributes:
    path: what was checked.
    findings: in the order of the table of rules, errors first.
    summary: what the module is, as JSON values; see `docs/rules.md`.
  """

  path: str
  findings: tuple[Finding, ...]
  summary: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)

  @property
  def errors(self) -> tuple[Finding, ...]:
    return self._of(rules.ERROR)

  @property
  def warnings(self) -> tuple[Finding, ...]:
    return self._of(rules.WARNING)

  @property
  def infos(self) -> tuple[Finding, ...]:
    return self._of(rules.INFO)

  def _of(self, severity: str) -> tuple[Finding, ...]:
    return tuple(f for f in self.findings if f.severity == severity)

  def to_json(self) -> dict[str, Any]:
    """The report as JSON values (not as text)."""
    findings = [dataclasses.asdict(finding) for finding in self.findings]
    return {"path": self.path, "findings": findings, "summary": self.summary}

  def _repr_html_(self) -> str:
    return notebook.as_html(f"Report of {clean(self.path)}", str(self))

  def __str__(self) -> str:
    lines = [clean(self.path)]
    lines += [f"  {line}" for line in _summary_lines(self.summary)]
    for severity in rules.SEVERITIES:
      lines += _section(severity, self._of(severity))
    if not self.errors and not self.warnings:
      lines.append("  Nothing to object to.")
    return "\n".join(lines)


def _section(severity: str, findings: tuple[Finding, ...]) -> list[str]:
  """Findings of one severity; equal messages are told once."""
  if not findings:
    return []
  places: dict[tuple[str, str], list[str]] = {}
  for finding in findings:
    places.setdefault((finding.rule, finding.message), []).append(finding.where)
  lines = [f"  {severity}s:" if len(places) > 1 else f"  {severity}:"]
  for (rule, message), wheres in places.items():
    lines.append(f"    {rule}: {message}")
    lines += [f"      in {where}" for where in wheres if where]
  return lines


def _summary_lines(summary: dict[str, Any]) -> list[str]:
  """A readable form of `Report.summary`; empty for what is no module."""
  if not summary:
    return []
  variants = ("{" + ", ".join(tags) + "}" for tags in summary["variants"])
  lines = [f"variants: {', '.join(variants)}"]
  size = summary["image_size"]
  if size:
    kind = "variable" if summary["variable_size"] else "fixed"
    lines.append(f"image size: {size[0]} x {size[1]}, {kind}")
  for name, signature in summary["signatures"].items():
    lines.append(f"{name}: {_signature(signature)}")
  lines.append(
    f"parameters: {summary['parameters']:,}, "
    f"{summary['trainable_parameters']:,} of them trainable"
  )
  why_not = summary["why_not_run"]
  how = "files and behaviour" if summary["ran"] else f"files only ({why_not})"
  return [*lines, f"checked: {how}"]


def _signature(signature: dict[str, Any]) -> str:
  text = f"{signature['width'] or 'unknown'} wide"
  endpoints = signature["endpoints"]
  if endpoints:
    more = f" and {len(endpoints) - 6} more" if len(endpoints) > 6 else ""
    text += f", endpoints {', '.join(endpoints[:6])}{more}"
  return text


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
  """Errors first, then warnings; within these, in the order of the table."""
  order = {name: i for i, name in enumerate(rules.RULES)}
  severity = {name: i for i, name in enumerate(rules.SEVERITIES)}
  return tuple(
    sorted(findings, key=lambda f: (severity[f.severity], order[f.rule]))
  )
