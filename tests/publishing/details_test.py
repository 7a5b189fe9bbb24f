# SPDX-License-Identifier: Apache-2.0
"""A publisher's words: their forms, and what C8 demands."""

from __future__ import annotations

import pytest

from hub_image_export.publishing import details, forms
from hub_image_export.publishing.details import PageDetails
from tests.publishing import modules


def _details(**changes):
  return PageDetails(**{**modules.DETAILS, **changes})


@pytest.mark.parametrize(
  "changes",
  [
    {"handle": "google/imagenet/mobilenet_v2_100_224/classification/5"},
    {"asset_path": "gs://bucket/path/1.tar.gz"},
    {"asset_path": "http://127.0.0.1:8080/m.tar.gz"},
    {"license": "apache-2.0", "dataset": "other", "network": "cnn"},
    {"class_definition": "https://example.com/classes?lang=en#list"},
    {"description": "Any <text>."},
    *({"scores": scores} for scores in forms.SCORES),
  ],
)
def test_good_forms(changes):
  _details(**changes)


def test_all_that_is_wrong_is_told_together():
  with pytest.raises(ValueError) as error:
    _details(handle="x", license="apache2")
  assert "handle is 'x'" in str(error.value)
  assert "Did you mean apache-2.0" in str(error.value)


def test_classes_of_what_is_no_classifier_are_refused():
  given = _details(scores="softmax")
  with pytest.raises(ValueError, match="no classifier"):
    details.check_classes(given, ("image_feature_vector",), False, None)


def test_the_identifiers_are_those_of_the_hub():
  tags = forms.known_tags()
  assert {"apache-2.0", "mit", "custom"} <= set(tags["license"])
  assert "imagenet-ilsvrc-2012-cls" in tags["dataset"]
  assert {"mobilenet-v2", "other"} <= set(tags["network-architecture"])
