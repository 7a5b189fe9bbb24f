# SPDX-License-Identifier: Apache-2.0
"""Of TensorFlow's errors, users are told what is wrong, not where."""

from __future__ import annotations

import pytest

from hub_image_export import errors
from hub_image_export.tensorflow_api.compat import tf


@pytest.mark.parametrize(
  ("message", "expected"),
  [
    ("/m/x.tempstate7; File too large", "/m/x.tempstate7; File too large"),
    (
      "{{function_node __wrapped__SaveV2_dtypes_4_device_/job:localhost}} "
      "/m/x; File too large [Op:SaveV2] name: save",
      "/m/x; File too large",
    ),
    (
      "Graph execution error:\n\nDetected at node a\n\t [[{{node a}}]]\nfull\n",
      "full",
    ),
    (
      "Incompatible shapes: [2] vs. {{3}}",
      "Incompatible shapes: [2] vs. {{3}}",
    ),
  ],
)
def test_where_it_happened_is_left_out(message, expected):
  error = tf.errors.InvalidArgumentError(None, None, message)
  assert errors.reason(error) == expected


def test_an_error_of_this_tensorflow():
  with pytest.raises(tf.errors.InvalidArgumentError) as raised:
    tf.reshape(tf.zeros([2]), [3])
  found = errors.reason(raised.value)
  assert found.startswith("Input to reshape is a tensor with 2 values")
  assert "{{" not in found and "[Op:" not in found


@pytest.mark.parametrize(
  ("message", "line"),
  [
    ("no.\nand more", "no"),
    ("Why?", "Why?"),
    ("", "ValueError"),
    ("word " * 100, "word " * 39 + "…"),
  ],
)
def test_first_line_is_brief(message, line):
  assert errors.first_line(ValueError(message)) == line
