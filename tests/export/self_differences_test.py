# SPDX-License-Identifier: Apache-2.0
"""A module is not blamed for what its source has with itself, nor for less."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.export.comparison import Difference
from hub_image_export.export.self_differences import judge
from hub_image_export.tensorflow_api.protos import GraphDef

_BLACK = np.zeros([2, 4, 4, 3], np.float32)
_GRAPH = GraphDef()  # In single precision.
_SMALL = Difference("train", "output", "a", 0.0, 0.0, 1e-4, (1.0, 1.0))


def _large(name, absolute=0.5, variant="train", kind="gradient"):
  values = 1.0, 1.0 - absolute
  return Difference(variant, kind, name, absolute, absolute, 1e-4, values)


def _source(moves):
  """One that gives `moves(images)` times the difference that is asked for."""

  def again(changed):
    factor = moves(changed(_BLACK))
    return [
      dataclasses.replace(d, absolute=factor * d.absolute)
      for d in (_SMALL, *map(_large, "bcdef"), _large("o", kind="output"))
    ]

  return again


def test_small_ones_need_no_second_run():
  assert judge([_SMALL], None, _GRAPH) == ([_SMALL], [])


def test_a_module_that_differs_is_refused():
  again = _source(lambda images: 0.01 * np.any(images))
  with pytest.raises(hie.VerificationError, match="gradient b of the train"):
    judge([_SMALL, _large("b")], again, _GRAPH)


def test_one_that_is_not_finite_is_refused():
  again = _source(lambda images: 0.5 * np.any(images))
  with pytest.raises(hie.VerificationError, match="gradient b"):
    judge([_large("b", np.nan)], again, _GRAPH)


def test_black_images_are_nudged_too_and_kinds_are_told_once():
  differences = [*map(_large, "bcdef"), _large("o", kind="output")]
  found, notes = judge(differences, _source(lambda i: 0.5 * np.any(i)), _GRAPH)
  assert found == differences
  assert len(notes) == 2
  assert notes[0].startswith("5 gradients (b, c, d, …) of the train variant")
  assert notes[1].startswith("the output o of the train variant")


def test_another_direction_is_tried_where_one_moves_nothing():
  seen = []

  def moves(images):
    seen.append(images)
    return 0.5 * (len(seen) > 2)

  assert judge([_large("b")], _source(moves), _GRAPH)[1]
  assert not np.any(seen[0])
  assert 0 < seen[1].max() <= 1e-6 and np.any(seen[1] != seen[2])


def test_what_differs_from_itself_is_named_or_refused():
  again = _source(lambda images: 1.0)
  found, notes = judge([_SMALL, _large("b")], again, _GRAPH)
  assert found == [_SMALL] and "differs from itself" in notes[0]
  with pytest.raises(hie.VerificationError, match="what Python draws"):
    judge(
      [_large("o", variant="inference", kind="output")],
      _inferring(again),
      _GRAPH,
    )


def _inferring(again):
  return lambda changed: [
    dataclasses.replace(d, variant="inference") for d in again(changed)
  ]
