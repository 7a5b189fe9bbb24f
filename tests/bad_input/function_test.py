# SPDX-License-Identifier: Apache-2.0
"""Each wrong function or model has its own clear error: got, expected, cure.

By exception and name: what makes it, and words of the message.
"""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.bad_input.check_error import check_error
from tests.bad_input.functions import (
  channels_first,
  collecting,
  integer_images,
  ok,
  python,
  raising,
  returning,
  reversing,
  sequential,
  table,
  two_inputs,
)
from tests.support.keras_sources import keras
from tests.support.models import CLASSES, FEATURES

v1 = tf.compat.v1

_FUNCTIONS = {
  TypeError: {
    "none": (lambda: None, "NoneType", "Keras model"),
    "number": (lambda: 3, "int", "(3)", "function on images"),
    "class": (lambda: keras.Model, "class Model", "instance"),
    "no_tensor": (returning(lambda x: "text"), "str", "tensor"),
    "nothing": (returning(lambda x: None), "NoneType", "tensor"),
    "three_values": (
      returning(lambda x: (ok(x), ok(x), ok(x))),
      "tuple of 3",
      "dict of endpoints",
    ),
    "sparse": (
      returning(lambda x: tf.sparse.from_dense(ok(x))),
      "SparseTensor",
      "to_dense",
    ),
    "ragged": (
      returning(lambda x: tf.RaggedTensor.from_tensor(ok(x))),
      "RaggedTensor",
      "to_tensor",
    ),
    "endpoint_is_no_tensor": (
      returning(lambda x: (ok(x), {"mine": [1, 2]})),
      "mine",
      "list",
      "tensor",
    ),
    "endpoint_is_sparse": (
      returning(lambda x: (ok(x), {"mine": tf.sparse.from_dense(ok(x))})),
      "mine",
      "SparseTensor",
    ),
    "endpoint_has_no_name": (
      returning(lambda x: (ok(x), {3: ok(x)})),
      "3",
      "string",
    ),
  },
  ValueError: {
    "no_such_path": (lambda: "/no/such", "/no/such", "saved_model"),
    "other_size": (sequential(16, 16, 3), "16x16", "height=12, width=10"),
    "several_inputs": (two_inputs, "2 inputs", "C13"),
    "one_channel": (sequential(12, 10, 1), "1 channels", "3, RGB"),
    "four_channels": (sequential(12, 10, 4), "4 channels", "C12"),
    "integer_images": (
      integer_images,
      "uint8",
      "float32",
      "convert_image_dtype",
    ),
    "channels_first_input": (
      sequential(3, 12, 10),
      "channels_first",
      "channels_last",
      "C17",
    ),
    "channels_first_layer": (channels_first, "channels_first", "pool", "C17"),
    "fixed_batch_of_a_model": (
      sequential(12, 10, 3, batch_size=8),
      "batch size of 8",
      "C14",
    ),
    "rank_4": (returning(lambda x: x), "shape", "Pool it"),
    "rank_1": (
      returning(lambda x: tf.reduce_mean(x, [1, 2, 3])),
      "[batch_size, width]",
      "Reshape",
    ),
    "integers": (
      returning(lambda x: tf.cast(ok(x), tf.int32)),
      "int32",
      "float32",
    ),
    "unknown_width": (
      returning(lambda x: v1.placeholder_with_default(ok(x), [None, None])),
      "unknown width",
      "constant",
    ),
    "fixed_batch": (
      returning(lambda x: tf.zeros([8, 3]) + tf.reduce_mean(x)),
      "fixed batch size",
      "C14",
    ),
    "dict_without_default": (
      returning(lambda x: {"features": ok(x)}),
      "features",
      "'default'",
    ),
    "endpoint_called_default": (
      returning(lambda x: (ok(x), {"default": ok(x)})),
      "'default'",
      "rename",
    ),
    "collections": (
      collecting("losses", "my_own"),
      "losses",
      "my_own",
      "drop_collections=",
    ),
    "lookup_table": (lambda: table, "lookup table", "module"),
    "numpy_function": (lambda: python, "PyFunc", "F5"),
    "gradient_reversal": (
      lambda: reversing,
      "gradients of their own",
      "allow_custom_gradients=True",
    ),
  },
  hie.SourceError: {
    "raises": (
      lambda: raising,
      "raising",
      "training variant",
      "the training part is broken",
    ),
  },
}


@pytest.mark.parametrize(
  ("exception", "row"),
  [
    pytest.param(exception, row, id=name)
    for exception, rows in _FUNCTIONS.items()
    for name, row in rows.items()
  ],
)
def test_function(exception, row):
  make, *words = row
  check_error(
    lambda: hie.make_feature_vector_module(make(), 12, 10), exception, words
  )


SEVERAL_TASKS = [
  ("tensor", ok, {"default_task": CLASSES}, TypeError, ["signature names"]),
  (
    "spelling",
    lambda x: {"image_feature-vector": ok(x)},
    {"default_task": FEATURES},
    ValueError,
    ["image_feature-vector", FEATURES],
  ),
  (
    "no_task",
    lambda x: {"a": ok(x)},
    {"default_task": FEATURES},
    ValueError,
    ["'a' (None, 3)", CLASSES],
  ),
  (
    "labels_without_classes",
    lambda x: {FEATURES: ok(x)},
    {"default_task": FEATURES, "labels": ["a", "b", "c"]},
    ValueError,
    ["labels", CLASSES],
  ),
]


@pytest.mark.parametrize(
  ("fn", "arguments", "exception", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in SEVERAL_TASKS],
)
def test_function_of_several_tasks(fn, arguments, exception, words):
  check_error(
    lambda: hie.make_image_module(fn, 12, 10, **arguments), exception, words
  )


def test_a_module_is_for_functions_that_are_traced(place):
  """`ModuleFunction` has no graph to go to: neither eagerly, nor in TF1's."""
  function = hie.ModuleFunction(place.directory / "module")
  images = tf.zeros([1, 12, 10, 3])
  check_error(lambda: function(images), ValueError, ["nothing is traced"])
  with tf.Graph().as_default():
    check_error(lambda: function(images), ValueError, ["hub.Module"])
