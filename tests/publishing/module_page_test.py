# SPDX-License-Identifier: Apache-2.0
"""Pages: of the module on disk, in the hub's form, with snippets that run."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse

import pytest

import hub_image_export as hie
from examples import make_pages
from hub_image_export.publishing import details, module_facts, module_page
from hub_image_export.publishing.forms import FORMATS
from hub_image_export.tensorflow_api.compat import tf
from tests.publishing import hub_rules, modules
from tests.support import tf115

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_MODULES = ("classification", "feature_vector", "several_tasks")
_PAGES = tuple(f"{name}.{form}" for name in _MODULES for form in FORMATS)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
  """A directory with the pages and modules of the example, made now."""
  directory = tmp_path_factory.mktemp("pages")
  for name, spec in make_pages.make_modules().items():
    make_pages.publish(name, spec, directory, directory)
  return directory


@pytest.fixture
def page(tmp_path):
  """A function that writes the page of a module and returns its text."""

  def write(module, **details):
    path = tmp_path / "1.md"
    options = {**modules.DETAILS, **details}
    hie.write_module_page(module, path, overwrite=True, **options)
    return path.read_text("utf-8")

  return write


@pytest.mark.slow
@pytest.mark.parametrize("name", _PAGES)
def test_example_pages_are_current(name, made):
  """To write them anew: python -m examples.make_pages."""
  for end in (".md", "_network.svg"):
    current = (made / f"{name}{end}").read_text("utf-8")
    assert (make_pages.PAGES / f"{name}{end}").read_text("utf-8") == current
  # Its photos were compressed by whatever version of whatever library.
  assert (made / f"{name}_example.svg").exists()


def test_there_are_no_other_example_pages():
  found = {path.name for path in make_pages.PAGES.iterdir()}
  ends = (".md", "_network.svg", "_example.svg")
  assert found == {name + end for name in _PAGES for end in ends}


@pytest.mark.parametrize("name", _MODULES)
def test_example_pages_pass_the_rules_of_the_hub(name):
  text = (make_pages.PAGES / f"{name}.tfhub.md").read_text("utf-8")
  assert hub_rules.page_errors(text) == []


@pytest.mark.parametrize("name", _MODULES)
def test_example_pages_pass_the_rules_of_hugging_face(name):
  hub = pytest.importorskip("huggingface_hub")
  card = hub.ModelCard.load(make_pages.PAGES / f"{name}.huggingface.md")
  assert card.data.library_name == "tensorflow-hub"


def _run_snippets(page, modules, photo, folder, python, first=""):
  """Each in a fresh process that finds the modules in hub's cache, in order."""
  urls = list(dict.fromkeys(re.findall(r'url = "(\S+)"', page)))
  (folder / "cache").mkdir()
  for url, module in zip(urls, modules, strict=True):
    cached = folder / "cache" / hashlib.sha1(url.encode()).hexdigest()
    cached.symlink_to(module)
  shutil.copy(photo, folder / "photo.jpg")
  said = []
  for snippet in _SNIPPET.findall(page):
    process = subprocess.run(
      [python, "-c", first + snippet],
      cwd=folder,
      env={
        **os.environ,
        "PYTHONPATH": str(_ROOT),
        "TFHUB_CACHE_DIR": str(folder / "cache"),
      },
      capture_output=True,
      text=True,
      timeout=300,
    )
    assert process.returncode == 0, process.stderr[-4000:]
    assert process.stdout
    said.append(process.stdout)
  return said


# Lets tensorflow_hub 0.15 be imported where TensorFlow is newer than it.
_FIRST = "import hub_image_export.tensorflow_api.compat\n"


@pytest.mark.slow
@pytest.mark.newest
@pytest.mark.parametrize("name", _PAGES)
def test_snippets_run_as_they_stand(name, made, tmp_path):
  page = (made / f"{name}.md").read_text("utf-8")
  module, photo = made / name.partition(".")[0], made / "photo.png"
  said = _run_snippets(page, [module], photo, tmp_path, sys.executable, _FIRST)
  assert len(said) == 3


@pytest.mark.slow
@pytest.mark.newest
@pytest.mark.parametrize("name", _MODULES)
def test_the_snippet_of_the_other_format_runs(name, made, tmp_path):
  other, out = tmp_path / "saved_model", tmp_path / "out"
  make_pages.make_modules()[name].export_saved_model(other, verify=False)
  options = {**modules.DETAILS, "scores": "softmax"}
  if name == "feature_vector":
    del options["scores"]
  hie.write_publish_dir(made / name, out, saved_model=other, **options)
  page = (out / "README.md").read_text("utf-8")
  page = page[page.index("The same module is there as") :]
  page = page[: page.index("## ")]
  photo = made / "photo.png"
  (said,) = _run_snippets(
    page, [other], photo, tmp_path, sys.executable, _FIRST
  )
  # Ten classes, of which a kernel of zeros knows nothing yet.
  loss = float(re.findall(r"\(\[(\S+)\]", said)[-1])
  module = tf.saved_model.load(str(other))
  penalties = [float(penalty()) for penalty in module.regularization_losses]
  assert loss == pytest.approx(math.log(10) + sum(penalties), rel=1e-4)


@tf115.needs_tf115
def test_snippets_run_with_tensorflow_1_15(made, tmp_path):
  text = (made / "classification.tfhub.md").read_text("utf-8")
  eager = text.index("In TensorFlow 2, ")
  end = text.index("## Signatures")
  said = _run_snippets(
    text[:eager] + text[end:],
    [made / "classification"],
    made / "photo.png",
    tmp_path,
    tf115.PYTHON,
  )
  assert len(said) == 2


def test_what_the_module_says_is_on_the_page(module, page):
  text = page(module, scores="softmax", network="cnn", license="mit")
  assert hub_rules.page_errors(text) == []
  assert text.startswith("# Module my-lab/pets/1\n")
  assert "12x10 pixels" in text
  assert "`image_classification`: 3 logits, one a class. The default." in text
  assert "`image_feature_vector`: 4 features." in text
  assert "Parameters: 128; 128 of them can be trained." in text
  assert '`{"train"}`' in text
  assert "| `Pets/conv` | `[?, 6, 5, 4]` | 1 | 108 |" in text
  assert "![The stages of the network](1_network.svg)" in text
  assert "Oldest TensorFlow: 1.15" in text
  assert "<!-- license: mit -->" in text
  assert "dataset" not in text, "Nobody said what it was trained on."


def test_the_page_follows_the_module(page, tmp_path):
  module = tmp_path / "other"
  spec = hie.make_feature_vector_module(
    lambda images: modules.network(images)["image_feature_vector"],
    20,
    30,
    variable_size=True,
  )
  spec.export(module)
  text = page(module)
  assert hub_rules.page_errors(text) == []
  assert "any size; 20x30 pixels are expected" in text
  assert "image_classification" not in text
  assert "## Classes" not in text
  assert 'train"' not in text, "There is no such variant."


def test_an_activation_that_was_taken_off_is_told(page, tmp_path):
  from hub_image_export.tensorflow_api.compat import tf

  module = tmp_path / "sigmoid"
  hie.make_classification_module(
    lambda x: tf.sigmoid(modules.network(x)["image_classification"]),
    12,
    10,
    labels=["a", "b", "c"],
  ).export(module)
  assert "do not exclude each other" in page(module)
  with pytest.raises(ValueError, match="ended in a sigmoid"):
    page(module, scores="softmax")


def test_names_are_text_and_nothing_more(module, page):
  text = page(
    module, scores="softmax", description="<!-- task: x -->\n# [b](http://c)"
  )
  assert hub_rules.page_errors(text) == []
  assert "&lt;b&gt;dog&lt;/b&gt; \\| \\*x\\*" in text
  prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
  assert "<b>" not in prose
  assert "[b](" not in prose
  assert "<!-- task: x" not in text


def test_versions_in_a_module_are_text(module):
  """Whoever wrote the graph chose what it says of itself."""
  facts = dataclasses.replace(
    module_facts.read_module(module),
    tensorflow="<script>x</script>",
    too_new=("*variant*",),
  )
  text = module_page.make_page(
    facts, details.PageDetails(scores="softmax", **modules.DETAILS)
  ).text
  assert "<script>" not in text
  assert "\\*variant\\*" in text


def test_a_classifier_without_classes_is_refused(page, tmp_path):
  module = tmp_path / "unlabelled"
  modules.classifier().export(module)
  with pytest.raises(ValueError) as error:
    page(module)
  assert "what its classes are" in str(error.value)
  assert "what its logits are meant for" in str(error.value)
  assert not (tmp_path / "1.md").exists()
  url = "https://example.com/classes"
  text = page(module, scores="other", class_definition=url)
  assert f"<{url}>" in text
  assert "| index | class |" not in text, "No names were given."


def test_many_labels_are_cut_and_counted(page, tmp_path):
  from hub_image_export.tensorflow_api.compat import tf

  module = tmp_path / "many"
  hie.make_classification_module(
    lambda x: tf.tile(tf.reduce_mean(x, [1, 2]), [1, 50]),
    12,
    10,
    labels=[f"class {i}" for i in range(150)],
  ).export(module)
  text = page(module, scores="softmax")
  assert "| 99 | class 99 |" in text
  assert "class 100" not in text
  assert "And 50 more." in text


def test_pictures_of_pages_with_odd_names_are_found(module, tmp_path):
  path = tmp_path / "my page (1) #x.md"
  hie.write_module_page(module, path, scores="softmax", **modules.DETAILS)
  (link,) = re.findall(r"!\[.*?\]\((\S+)\)", path.read_text("utf-8"))
  assert (tmp_path / urllib.parse.unquote(link)).exists()
  assert not set(link) & set(" ()#")


def test_a_picture_that_exists_is_kept(module, tmp_path):
  (tmp_path / "1_network.svg").write_text("old")
  with pytest.raises(hie.ExportError, match="1_network.svg"):
    hie.write_module_page(
      module, tmp_path / "1.md", scores="softmax", **modules.DETAILS
    )
  assert (tmp_path / "1_network.svg").read_text() == "old"
  assert not (tmp_path / "1.md").exists()
