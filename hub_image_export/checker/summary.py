"""What a module is, in a few lines."""

from __future__ import annotations

from typing import Any


def summary_lines(summary: dict[str, Any]) -> list[str]:
  """A readable form of `Report.summary`; empty for what is no module."""
  if not summary:
    return []
  lines = [f"variants: {', '.join(map(_tags, summary['variants']))}"]
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
  if summary["ran"]:
    lines.append("checked: files and behaviour")
  else:
    lines.append(f"checked: files only ({summary['why_not_run']})")
  return lines


def _tags(tags: list[str]) -> str:
  return "{" + ", ".join(tags) + "}"


def _signature(signature: dict[str, Any]) -> str:
  text = f"{signature['width'] or 'unknown'} wide"
  if signature["endpoints"]:
    count = len(signature["endpoints"])
    shown = ", ".join(signature["endpoints"][:6])
    more = f" and {count - 6} more" if count > 6 else ""
    text += f", endpoints {shown}{more}"
  return text
