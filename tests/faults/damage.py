# SPDX-License-Identifier: Apache-2.0
"""Damage to bytes, the same for the same seed."""

from __future__ import annotations

import random


def damaged(content: bytes, source: random.Random) -> bytes:
  """Flips, cuts, inserts, swaps, zeroes or repeats bytes."""
  data = bytearray(content)
  start = source.randrange(len(data) + 1)
  end = min(len(data), start + source.randint(1, 400))
  span = bytes(data[start:end])
  kind = source.randrange(8)
  if kind == 0:
    for _ in range(source.randint(1, 8)):
      data[source.randrange(len(data))] ^= 1 << source.randrange(8)
  elif kind == 1:
    del data[start:]
  elif kind == 2:
    data[start:start] = source.randbytes(source.randint(1, 30))
  elif kind == 3:
    other = source.randrange(len(data) + 1)
    data[start:end], data[other:other] = b"", span
  elif kind == 4:
    data[start:end] = bytes(end - start)
  elif kind == 5:
    data[start:start] = span * source.choice([1, 1, 2, 100])
  elif kind == 6:
    del data[start:end]
  else:
    data[start:end] = b"\xff" * (end - start)
  return bytes(data)
