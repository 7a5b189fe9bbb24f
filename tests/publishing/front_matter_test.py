# SPDX-License-Identifier: Apache-2.0
"""Pages for Hugging Face: valid by its own library, the same facts."""

from __future__ import annotations

import dataclasses
import sys

import pytest

import hub_image_export as hie
from hub_image_export.arguments import is_unicode
from hub_image_export.publishing import extra, module_facts, module_page
from hub_image_export.publishing.details import PageDetails
from hub_image_export.publishing.forms import HUGGINGFACE
from tests.faults.hostile_texts import TEXTS
from tests.publishing import hub_rules

huggingface_hub = pytest.importorskip("huggingface_hub")
_URL = "https://huggingface.co/My-Lab/pets/resolve/main/pets-1.tar.gz"


@pytest.fixture(scope="module")
def facts(module):
  return module_facts.read_module(module)


def _page(facts, **details):
  given = {"handle": "My-Lab/pets/1", "scores": "softmax", **details}
  return module_page.make_page(facts, PageDetails.of(HUGGINGFACE, given)).text


def _data(page):
  return huggingface_hub.ModelCard(page).data.to_dict()


def test_the_metadata_are_those_of_a_model_card(facts):
  page = _page(
    facts,
    license="apache-2.0",
    network="mobilenet-v2",
    dataset="ILSVRC/imagenet-1k",
    language="en",
    results={"accuracy": 0.97, "f1": 1},
  )
  data = _data(page)
  index = data.pop("model-index")
  assert data == {
    "language": "en",
    "library_name": "tensorflow-hub",
    "license": "apache-2.0",
    "pipeline_tag": "image-classification",
    "datasets": ["ILSVRC/imagenet-1k"],
    "metrics": ["accuracy", "f1"],
    "tags": [
      *("tf", "tensorflow", "tf-hub", "tf1-hub"),
      *("image-feature-extraction", "mobilenet-v2"),
    ],
  }
  (results,) = huggingface_hub.repocard_data.model_index_to_eval_results(index)[
    1:
  ]
  assert [(r.metric_type, r.metric_value) for r in results] == [
    ("accuracy", 0.97),
    ("f1", 1.0),
  ]
  assert "| accuracy | 0.97 |" in page


def test_what_nobody_said_is_not_there(facts):
  assert set(_data(_page(facts))) == {"library_name", "pipeline_tag", "tags"}


def test_feature_vectors_have_a_tag_of_their_own(facts):
  features = dataclasses.replace(
    facts,
    tasks=("image_feature_vector",),
    default_task="image_feature_vector",
  )
  page = _page(features, scores=None)
  assert _data(page)["pipeline_tag"] == "image-feature-extraction"


def test_snippets_have_the_url_of_the_host(facts):
  page = _page(facts)
  assert page.count(f'url = "{_URL}"') == 3
  other = "https://example.com/a.tar.gz"
  assert page.replace(_URL, other) == _page(facts, asset_path=other)


def test_the_facts_are_those_of_the_other_form(facts):
  page = _page(facts)
  other = module_page.make_page(
    facts,
    PageDetails.of(
      "tfhub",
      {"handle": "my-lab/pets/1", "asset_path": _URL, "scores": "softmax"},
    ),
  ).text
  assert hub_rules.page_errors(other) == []
  start = "## Overview"
  assert page[page.index(start) :] == other[other.index(start) :]


def test_nothing_gets_into_the_metadata(facts):
  expected = _data(_page(facts))
  for text in filter(is_unicode, TEXTS):
    named = dataclasses.replace(
      facts, labels=[text, "b", "c"], preprocessing=text, tensorflow=text
    )
    page = _page(named, description=text + " x")
    assert _data(page) == expected, text
    text = huggingface_hub.ModelCard(page).text
    assert text.lstrip().startswith("# My-Lab/pets/1\n")


@pytest.mark.parametrize(
  "handle",
  [
    "My-Lab/pets/1",
    "a/b.c_d-e/12",
    "a--b/c/1",
    "a/b..c/1",
    "a/b.git/1",
    "-a/b/1",
    "a/b-/1",
    "a/b/c/1",
    f"a/{'b' * 96}/1",
    f"a/{'b' * 97}/1",
  ],
)
def test_repositories_are_those_that_the_library_takes(handle):
  """It has no list of what it refuses; its own check is asked."""
  try:
    huggingface_hub.utils.validate_repo_id(handle.rpartition("/")[0])
  except huggingface_hub.errors.HFValidationError:
    with pytest.raises(ValueError, match="publisher/name/version"):
      PageDetails(handle=handle, format=HUGGINGFACE)
  else:
    PageDetails(handle=handle, format=HUGGINGFACE)


def test_licenses_are_those_of_the_place():
  PageDetails(handle="a/b/1", format=HUGGINGFACE, license="bsl-1.0")
  with pytest.raises(ValueError, match="'other'"):
    PageDetails(handle="a/b/1", format=HUGGINGFACE, license="custom")


def test_results_need_a_data_set():
  with pytest.raises(ValueError, match="without dataset"):
    PageDetails(handle="a/b/1", format=HUGGINGFACE, results={"accuracy": 1})


def test_without_the_library_the_way_to_get_it_is_told(
  module, tmp_path, monkeypatch
):
  monkeypatch.setitem(sys.modules, "huggingface_hub", None)
  with pytest.raises(ImportError, match=r"hub_image_export\[publish\]"):
    hie.write_module_page(
      module,
      tmp_path / "1.md",
      format=HUGGINGFACE,
      handle="a/b/1",
      scores="softmax",
    )
  assert not list(tmp_path.iterdir())
  with pytest.raises(ImportError, match="pictures need no_such_library"):
    extra.need("no_such_library", "pictures")
