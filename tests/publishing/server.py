# SPDX-License-Identifier: Apache-2.0
"""A web server on the loopback address, as hubs have one."""

from __future__ import annotations

import contextlib
import http.server
import os
import threading
import urllib.parse
from collections.abc import Iterator

_KINDS = {".html": "text/html; charset=utf-8", ".svg": "image/svg+xml"}


class Server(http.server.ThreadingHTTPServer):
  """Serves files by their paths.

  Attributes:
    files: content by path (`"/pets/1.tar.gz"`); a string is another path, to
      which clients are redirected.
    requests: paths that were asked for, with their queries.
  """

  def __init__(self, files: dict[str, bytes | str]):
    super().__init__(("127.0.0.1", 0), _Handler)
    self.files = files
    self.requests: list[str] = []

  def url(self, path: str) -> str:
    return f"http://127.0.0.1:{self.server_port}{path}"


class _Handler(http.server.BaseHTTPRequestHandler):
  def do_GET(self):  # noqa: N802
    self.server.requests.append(self.path)
    content = self.server.files.get(urllib.parse.urlsplit(self.path).path)
    if isinstance(content, str):
      self.send_response(302)
      self.send_header("Location", content)
      self.end_headers()
      return
    self.send_response(404 if content is None else 200)
    kind = _KINDS.get(os.path.splitext(self.path)[1], "application/gzip")
    self.send_header("Content-Type", kind)
    self.send_header("Content-Length", str(len(content or b"")))
    self.end_headers()
    self.wfile.write(content or b"")

  def log_message(self, *unused):
    pass


@contextlib.contextmanager
def serving(files: dict[str, bytes | str]) -> Iterator[Server]:
  with Server(files) as server:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
      yield server
    finally:
      server.shutdown()
      thread.join()
