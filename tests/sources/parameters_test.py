# SPDX-License-Identifier: Apache-2.0
"""What functions may ask for beside images, and how they are told (F2)."""

from __future__ import annotations

import functools

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf


def _features(images):
  return tf.reduce_mean(images, [1, 2])


def _one(images, train):
  return _features(images) if train else _features(images) + 1.0


def _two(images, num_classes, *, is_training, scope):
  del num_classes, is_training, scope
  return _features(images)


@pytest.mark.parametrize(
  ("function", "needed"), [(_one, "train"), (_two, "num_classes, scope")]
)
def test_what_is_needed_beside_images_is_named(function, needed):
  message = f"needs {needed}: expected a function of images, and maybe"
  with pytest.raises(TypeError, match=message):
    hie.make_feature_vector_module(function, 12, 10)


def test_what_is_bound_is_not_needed(caplog):
  function = functools.partial(_two, num_classes=3, scope="net")
  hie.make_feature_vector_module(function, 12, 10)
  assert "keeps its default" not in caplog.text


@pytest.mark.parametrize(
  "name", ["train", "is_train", "phase_train", "trainable"]
)
def test_a_flag_of_another_name_is_told_of(name, caplog):
  namespace = {"_one": _one}
  exec(f"def net(images, {name}=False): return _one(images, {name})", namespace)
  hie.make_feature_vector_module(namespace["net"], 12, 10)
  assert (
    f"has the argument {name}, which keeps its default False" in caplog.text
  )
