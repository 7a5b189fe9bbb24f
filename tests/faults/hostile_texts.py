# SPDX-License-Identifier: Apache-2.0
"""Texts that want to be more than text: markup, code, control characters."""

from __future__ import annotations

_MARKUP = (
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<b>bold</b>",
  "<a href='javascript:alert(1)'>x</a>", "<!-- comment", "-->", "<!DOCTYPE x>",
  "<?php x ?>", "<![CDATA[x]]>", "</td></tr></table>", "</code></pre>",
  "<details open ontoggle=alert(1)>", "<svg/onload=alert(1)>", "&lt;b&gt;",
  "&#60;b&#62;", "&amp;", "<http://evil.example>", "<mail@evil.example>",
  "[x](javascript:alert(1))", "[x](http://evil.example)", "![x](data:a)",
  "[x][1]", "[1]: http://evil.example", "[^1]", "[^1]: note", "[ ] task",
  "http://evil.example", "https://evil.example/a_b_c", "www.evil.example",
  "ftp://evil.example", "mail@evil.example", "mailto:mail@evil.example",
  "WWW.evil.example", "hTTp://evil.example", "xmpp:mail@evil.example",
  "*a*", "**a**", "_a_", "__a__", "~~a~~", "==a==", "`a`", "``", "`", "```",
  "~~~", "| a | b |", "a|b", "\\|", "\\", "\\\\|", "|---|", "# a", "## a",
  "a #", "- a", "* a", "+ a", "1. a", "1) a", "> a", "---", "***", "===",
  "___", ": a", "$x$", "$$x$$", "\\(x\\)", "@user", "#123", ":smile:",
  "{{ x }}", "{% raw %}", "{#id .class}", "---\ntitle: x\n---", "    code",
  "\tcode", "%s %d %(x)s", "{0}", "${HOME}", "$(touch /tmp/x)", "`id`",
  "'; DROP TABLE x", '"', "'", '"""', "''')", "\\n", "\\u0041",
)  # fmt: skip
_CONTROL = (
  "a\nb", "a\r\nb", "a\rb", "a\n\nb", "a\n# b", "a\n| b | c |", "a\x0bb",
  "a\x0cb", "a\x85b", "a\u2028b", "a\u2029b", "a\x00b", "\x1b[2J",
  "\x1b]0;title\x07", "\x1b]8;;http://evil.example\x1b\\x", "\x9b2J", "a\x08b",
  "a\x7fb", "\u202egnp.exe", "\u2066a\u2069", "\u200ba", "a\u200db", "\ufeffa",
  "\u00ad", "\U000e0041", "\ue000", "\ufff9a", "a\u0300" * 3, "\ud800",
)  # fmt: skip
TEXTS = (*_MARKUP, *_CONTROL, "x" * 10_000, " a", "a ", "ᴬ", "猫", "𝒳")
