# SPDX-License-Identifier: Apache-2.0
"""SavedModels as people have them: their size, and what they cannot take."""

from __future__ import annotations

import pytest

from hub_image_export.command_line import model_flag
from hub_image_export.sources import as_source, saved_models
from hub_image_export.tensorflow_api.compat import tf
from tests.support.keras_sources import HAS_KERAS_2, SHAPE, keras, layers

v1 = tf.compat.v1


def _means(images):
  return tf.reduce_mean(tf.cast(images, tf.float32), [1, 2])


def _decoded(encoded):
  images = tf.map_fn(tf.io.decode_png, encoded, fn_output_signature=tf.uint8)
  return _means(tf.ensure_shape(images, [None, *SHAPE]))


def _save(path, *specs, function=_means, is_called=False):
  """By `__call__` if `is_called`, else by serving signature alone."""
  module = tf.Module()
  if is_called:
    module.__call__ = tf.function(function)
    for spec in specs:
      module.__call__.get_concrete_function(spec)
    tf.saved_model.save(module, str(path))
  else:
    module.serve = tf.function(function, input_signature=specs)
    signatures = {"serving_default": module.serve}
    tf.saved_model.save(module, str(path), signatures=signatures)
  return str(path)


def _images(*shape, dtype=tf.float32):
  return tf.TensorSpec(shape or [None, *SHAPE], dtype, "images")


def _by_keras(path):
  model = keras.Sequential(
    [keras.Input(SHAPE), layers.GlobalAveragePooling2D()]
  )
  if HAS_KERAS_2:
    model.save(path)
  else:
    model.export(str(path), verbose=False)


def _tf1(path, *tags):
  """As TF1's builder writes it, a graph for each set of tags."""
  builder = v1.saved_model.Builder(str(path))
  with tf.Graph().as_default(), v1.Session() as session:
    images = v1.placeholder(tf.float32, [None, *SHAPE])
    outputs = _means(images) * v1.get_variable("scale", [3])
    session.run(v1.global_variables_initializer())
    signature = v1.saved_model.predict_signature_def(
      {"x": images}, {"y": outputs}
    )
    graphs = {"signature_def_map": {"serving_default": signature}}
    builder.add_meta_graph_and_variables(session, tags[0], **graphs)
    for more in tags[1:]:
      builder.add_meta_graph(more, **graphs)
  builder.save()


@pytest.mark.parametrize(
  "save",
  [
    _by_keras,
    lambda path: _save(path, _images()),
    lambda path: _save(path, _images(), is_called=True),
    lambda path: _save(path, _images(), _images(2, *SHAPE), is_called=True),
    lambda path: _tf1(path, ["serve"]),
    lambda path: _tf1(path, ["serve"], ["serve", "tpu"]),
    lambda path: _tf1(path, ["train"], ["serve"]),
  ],
)
def test_its_size_is_that_of_what_is_called(save, tmp_path):
  save(tmp_path / "saved")
  loaded = model_flag.load(str(tmp_path / "saved"))
  assert (loaded.height, loaded.width) == SHAPE[:2]
  source = as_source(loaded.source, *SHAPE[:2])
  assert source.call(tf.ones([2, *SHAPE])).shape == (2, 3)


@pytest.mark.parametrize("is_called", [False, True])
@pytest.mark.parametrize(
  "specs",
  [
    [_images(None, None, None, 3)],
    [tf.TensorSpec(None)],
    [tf.TensorSpec([None, 5])],
  ],
)
def test_what_has_no_size_of_its_own(specs, is_called, tmp_path):
  if len(specs[0].shape or []) == 2 or specs[0].shape.rank is None:
    path = _save(tmp_path, *specs, function=lambda x: x, is_called=is_called)
  else:
    path = _save(tmp_path, *specs, is_called=is_called)
  loaded = saved_models.load(path)
  assert saved_models.image_size(loaded) == (None, None)


def test_the_size_of_the_signature_that_is_chosen(tmp_path):
  module = tf.Module()
  module.a = tf.function(_means, input_signature=[_images(None, 8, 6, 3)])
  module.b = tf.function(_means, input_signature=[_images()])
  tf.saved_model.save(
    module, str(tmp_path), signatures={"a": module.a, "b": module.b}
  )
  loaded = saved_models.load(str(tmp_path))
  assert saved_models.image_size(loaded, "a") == (8, 6)
  assert saved_models.image_size(loaded, "b/output_0") == SHAPE[:2]


@pytest.mark.parametrize("is_called", [False, True])
@pytest.mark.parametrize(
  ("spec", "function", "words"),
  [
    (_images(dtype=tf.uint8), _means, ["uint8 images", "convert_image_dtype"]),
    (_images(dtype=tf.int32), _means, ["int32 images", "C12"]),
    (tf.TensorSpec([None], tf.string), _decoded, ["bytes", "output"]),
    (_images(2, *SHAPE), _means, ["fixed batch size of 2", "C14"]),
    (_images(None, 8, 6, 3), _means, ["8x6", "height=12"]),
    (_images(None, 12, 10, 1), _means, ["1 channels", "RGB"]),
    (_images(None, 3, 12, 10), _means, ["channels_first", "C17"]),
    (tf.TensorSpec([None, 360]), lambda x: x, ["(None, 360)", "C12"]),
  ],
)
def test_what_it_cannot_take_is_told(
  spec, function, words, is_called, tmp_path
):
  _save(tmp_path, spec, function=function, is_called=is_called)
  with pytest.raises(ValueError) as raised:
    as_source(str(tmp_path), *SHAPE[:2])
  for word in ("the SavedModel" if not is_called else "SavedModel", *words):
    assert word in str(raised.value)


def test_other_traces_do_not_matter(tmp_path):
  specs = [_images(dtype=tf.uint8), _images()]
  source = as_source(_save(tmp_path, *specs, is_called=True), *SHAPE[:2])
  assert source.call(tf.ones([2, *SHAPE])).numpy().tolist() == [[1.0] * 3] * 2


def test_graphs_that_cannot_be_chosen(tmp_path):
  _tf1(tmp_path / "saved", ["train"], ["serve", "tpu"])
  with pytest.raises(ValueError, match=r"'tpu'.*expected \['serve'\]"):
    saved_models.load(str(tmp_path / "saved"))
