# SPDX-License-Identifier: Apache-2.0
"""C3, C6: the output is float32 [batch_size, a known width]."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models


def test_type_and_shape(exported):
  for tags in exported.model.variants:
    module = exported.consumer(tags).module
    for task, width in {
      **exported.model.width,
      "default": exported.model.width[exported.model.default_task],
    }.items():
      info = module.get_output_info_dict(task)["default"]
      assert info.dtype == tf.float32
      assert info.get_shape().as_list() == [None, width]


@pytest.mark.parametrize("count", [1, 5])
def test_any_batch_size_is_accepted(exported, count):
  consumer = exported.consumer()
  outputs = consumer.run(consumer.outputs, exported.images(count))
  for task, width in exported.model.width.items():
    assert outputs[task]["default"].shape == (count, width)
    assert outputs[task]["default"].dtype == "float32"


def test_the_width_does_not_depend_on_the_size(exports):
  exported = exports(models.by_name("variable_size"))
  consumer = exported.consumer()
  for height, width in ((12, 10), (40, 33), (7, 64)):
    with consumer.graph.as_default():
      output = consumer.module(tf.ones([2, height, width, 3]))
    assert consumer.run(output).shape == (2, 4)
