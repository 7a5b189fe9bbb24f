# SPDX-License-Identifier: Apache-2.0
"""The documents' own snippets, taken from `docs/seeds`, run as they stand.

Only two things get real values: `images = ...`, and the path, which is made
to exist under that name.
"""

from __future__ import annotations

import ast
import pathlib
import re
import textwrap

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.runtime import quiet
from tests.support import keras_sources

_SEEDS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "seeds"
_DOCUMENTS = sorted(_SEEDS.glob("*.md"))
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path: pathlib.Path) -> list[str]:
  """The code blocks of a document, in order."""
  text = path.read_text("utf-8")
  return [textwrap.dedent(block) for block in _BLOCK.findall(text)]


class _Images(ast.NodeTransformer):
  """Lets `...` be the name of real images."""

  def visit_Constant(self, node):  # noqa: N802
    if node.value is Ellipsis:
      return ast.copy_location(ast.Name("real_images", ast.Load()), node)
    return node


def run(snippets: list[str], namespace: dict) -> None:
  for snippet in snippets:
    tree = ast.fix_missing_locations(_Images().visit(ast.parse(snippet)))
    exec(compile(tree, "<document>", "exec"), namespace)


@pytest.fixture(scope="module")
def namespaces(tmp_path_factory):
  """Where the code finds `path/to/module`: a directory by kind of module."""
  made = {}
  for make in (
    hie.make_feature_vector_module,
    hie.make_classification_module,
  ):
    directory = tmp_path_factory.mktemp("document")
    model = keras_sources.classifier().fn
    make(model, 12, 10).export(directory / "path" / "to" / "module")
    made[make.__name__] = directory, model
  return made


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.parametrize(
  ("make", "first", "output"),
  [
    ("make_feature_vector_module", 0, "features"),
    ("make_classification_module", 2, "logits"),
  ],
)
def test_snippets(document, make, first, output, namespaces, monkeypatch):
  directory, model = namespaces[make]
  monkeypatch.chdir(directory)
  overview, named = blocks(document)[first : first + 2]
  images = np.random.RandomState(0).uniform(size=(3, 12, 10, 3))
  images = images.astype(np.float32)
  expected = np.array(model(images))
  with tf.Graph().as_default(), quiet():
    namespace = {"hub": hie.hub, "real_images": tf.constant(images)}
    found = []
    for snippet in (overview, named):
      run([snippet], namespace)
      found.append(namespace[output])
    with tf.compat.v1.Session() as session:
      session.run(tf.compat.v1.global_variables_initializer())
      found = session.run(found)
  assert (namespace["height"], namespace["width"]) == (12, 10)
  for value in found:
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_the_documents_have_the_four_snippets():
  assert len(_DOCUMENTS) == 2
  for document in _DOCUMENTS:
    code = blocks(document)
    assert len(code) == 4
    assert 'signature="image_feature_vector"' in code[1]
    assert 'signature="image_classification"' in code[3]
