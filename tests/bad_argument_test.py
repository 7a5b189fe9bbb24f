"""Each wrong argument has its own clear error: got, expected, cure.

A row is `(id, arguments, exception, words of the message)`.
"""

from __future__ import annotations

import pytest

import hub_image_export as hie
from tests.bad_input import check_error, ok
from tests.models import CLASSES, FEATURES

ARGUMENTS = [
  ("height_0", {"height": 0}, ValueError, ["height is 0", "positive"]),
  ("height_-1", {"height": -1}, ValueError, ["height is -1", "positive"]),
  ("width_float", {"width": 10.0}, TypeError, ["width is 10.0", "float"]),
  ("width_text", {"width": "10"}, TypeError, ["width is '10'", "integer"]),
  ("height_bool", {"height": True}, TypeError, ["height is True"]),
  ("height_none", {"height": None}, TypeError, ["height is None"]),
  ("arch_name_type", {"arch_name": 3}, TypeError, ["arch_name is 3"]),
  ("arch_name_slash", {"arch_name": "Net/"}, ValueError, ["Net/", "slashes"]),
  ("endpoints_text", {"endpoints": "conv"}, TypeError, ["'conv'", "list"]),
  ("endpoints_type", {"endpoints": [3]}, TypeError, ["endpoints", "strings"]),
  ("preprocess", {"preprocess": "torche"}, ValueError, ["torche", "'torch'"]),
  ("preprocess_type", {"preprocess": 3}, TypeError, ["preprocess is 3"]),
  ("preprocess_pair", {"preprocess": (1,)}, ValueError, ["(mean, std)"]),
  ("preprocess_0", {"preprocess": (0.5, 0.0)}, ValueError, ["zero"]),
  ("preprocess_255", {"preprocess": (127.5, 127.5)}, ValueError, ["255"]),
  ("variable_size", {"variable_size": 1}, TypeError, ["True or False"]),
  ("training", {"training": "yes"}, TypeError, ["training is 'yes'"]),
  ("training_true", {"training": True}, ValueError, ["is_training", "F2"]),
  ("momentum", {"batch_norm_momentum": 0.9}, ValueError, ["0.9", "True"]),
  ("momentum_2", {"batch_norm_momentum": 2.0}, ValueError, ["[0, 1]"]),
  (
    "momentum_without_batch_norm",
    {"batch_norm_momentum": True},
    ValueError,
    ["batch_norm_momentum", "H1"],
  ),
  ("drop_text", {"drop_collections": "losses"}, TypeError, ["list"]),
  *(
    (
      f"drop_{name}",
      {"drop_collections": ["losses", name]},
      ValueError,
      [name, "Leave them out"],
    )
    for name in ("variables", "update_ops", "regularization_losses")
  ),
]


@pytest.mark.parametrize(
  ("arguments", "exception", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in ARGUMENTS],
)
def test_argument(arguments, exception, words):
  arguments = {"height": 12, "width": 10, **arguments}
  check_error(
    lambda: hie.make_feature_vector_module(ok, **arguments), exception, words
  )


CLASSIFICATION = [
  ("num_classes", {"num_classes": 4}, ["num_classes is 4", "3 scores"]),
  ("num_classes_0", {"num_classes": 0}, ["num_classes is 0", "positive"]),
  ("background", {"num_classes": 2}, ["3 scores", "background", "1001"]),
  ("no_background", {"num_classes": 4}, ["1000", "1001"]),
  ("labels", {"labels": ["a", "b"]}, ["2 labels", "3 classes", "1001"]),
  ("labels_twice", {"labels": ["a", "b", "a"]}, ["0 and 2", "'a'"]),
  ("labels_blank", {"labels": ["a", " ", "c"]}, ["label 1 is blank"]),
  ("labels_none", {"labels": []}, ["there are none"]),
  ("labels_file", {"labels": "/no/such/file"}, ["/no/such/file", "read"]),
]


@pytest.mark.parametrize(
  ("arguments", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in CLASSIFICATION],
)
def test_classification(arguments, words):
  check_error(
    lambda: hie.make_classification_module(ok, 12, 10, **arguments),
    ValueError,
    words,
  )


def test_an_option_that_does_not_exist():
  check_error(
    lambda: hie.make_classification_module(ok, 12, 10, arch_nam="Net"),
    TypeError,
    ["arch_nam", "arch_name"],
  )


SEVERAL_TASKS = [
  ("task", ok, {"default_task": "image_clasification"}, ValueError,
   ["image_clasification", "Did you mean 'image_classification'"]),
  ("tensor", ok, {"default_task": CLASSES}, TypeError, ["signature names"]),
  ("spelling", lambda x: {"image_feature-vector": ok(x)},
   {"default_task": FEATURES}, ValueError, ["image_feature-vector", FEATURES]),
  ("no_task", lambda x: {"a": ok(x)}, {"default_task": FEATURES},
   ValueError, ["['a']", CLASSES]),
  ("default_not_there", lambda x: {FEATURES: ok(x)},
   {"default_task": CLASSES}, ValueError, [CLASSES, "expected it among them"]),
  ("labels_without_classes", lambda x: {FEATURES: ok(x)},
   {"default_task": FEATURES, "labels": ["a", "b", "c"]}, ValueError,
   ["labels", CLASSES]),
  ("feature_layer_type", ok, {"default_task": CLASSES, "feature_layer": 3},
   TypeError, ["feature_layer is 3", "name"]),
]  # fmt: skip


@pytest.mark.parametrize(
  ("fn", "arguments", "exception", "words"),
  [pytest.param(*row[1:], id=row[0]) for row in SEVERAL_TASKS],
)
def test_several_tasks(fn, arguments, exception, words):
  check_error(
    lambda: hie.make_image_module(fn, 12, 10, **arguments), exception, words
  )
