# SPDX-License-Identifier: Apache-2.0
"""The forms of `--model`, and the defaults that each brings along."""

import sys

import pytest

from hub_image_export import contract
from hub_image_export.command_line import model_flag
from hub_image_export.tensorflow_api.compat import hub, tf


def _model():
  return tf.keras.Sequential(
    [tf.keras.Input((8, 6, 3)), tf.keras.layers.GlobalAveragePooling2D()],
    name="tiny",
  )


def test_application():
  loaded = model_flag.load(
    "MobileNet", task="all", weights="random", height=32, num_classes=10
  )
  assert loaded.application.name == loaded.arch_name == "MobileNet"
  assert (loaded.height, loaded.width) == (32, 224)
  assert loaded.preprocess == "tf"
  assert loaded.source.output_shape == (None, 10)
  assert loaded.source.get_layer(loaded.feature_layer)


def test_keras_file(tmp_path):
  path = str(tmp_path / "model.keras")
  _model().save(path)
  loaded = model_flag.load(path)
  assert loaded.source.output_shape == (None, 3)
  assert (loaded.arch_name, loaded.height, loaded.width) == ("tiny", 8, 6)
  assert loaded.application is loaded.preprocess is None


def test_saved_model_directory(tmp_path):
  saved = tf.Module()
  saved.__call__ = tf.function(
    lambda x: x, input_signature=[tf.TensorSpec([None, None, None, 3])]
  )
  tf.saved_model.save(saved, str(tmp_path))
  loaded = model_flag.load(str(tmp_path))
  assert loaded == model_flag.LoadedModel(loaded.source)
  assert loaded.source(tf.zeros([1, 2, 2, 3])).shape == (1, 2, 2, 3)


def _module_fn():
  images = tf.compat.v1.placeholder(tf.float32, [None, 8, 6, 3])
  features = tf.reduce_mean(images, [1, 2]) * tf.compat.v1.get_variable("a", [])
  hub.add_signature(inputs={"images": images}, outputs=features)


def _text_module_fn():
  text = tf.compat.v1.placeholder(tf.string, [None])
  hub.add_signature(inputs=text, outputs=tf.strings.length(text))


@pytest.mark.parametrize(
  "module_fn, size", [(_module_fn, (8, 6)), (_text_module_fn, (None, None))]
)
def test_hub_module_directory(tmp_path, module_fn, size):
  path = str(tmp_path / "module")
  with tf.Graph().as_default():
    module = hub.Module(hub.create_module_spec(module_fn))
    with tf.compat.v1.Session() as session:
      session.run(tf.compat.v1.global_variables_initializer())
      module.export(path, session)
  loaded = model_flag.load(path)
  assert isinstance(loaded.source, hub.ModuleSpec)
  assert (loaded.height, loaded.width) == size


def test_python_code(tmp_path, monkeypatch):
  monkeypatch.setattr(sys, "path", list(sys.path))
  path = tmp_path / "nets.py"
  path.write_text("def my_net(images): return images\nother = lambda x: x\n")
  loaded = model_flag.load(f"{path}:my_net")
  assert loaded.source(3) == 3
  assert loaded == model_flag.LoadedModel(loaded.source, "my_net")
  assert model_flag.load(f"{path}:other").arch_name is None


@pytest.mark.parametrize(
  "model, message",
  [
    ("MobilNetV2", "Did you mean MobileNetV2"),
    ("mobilenetv2", "Did you mean MobileNetV2"),
    ("nets/no_such", "is 'nets/no_such': expected the name of a Keras .*name"),
    ("net.py", "name of a model or function.*net.py:name"),
    ("no.h5", "No file 'no.h5'"),
    ("x.weights.h5", "No file 'x.weights.h5'"),
    ("gs://bucket/model", "Copy it here"),
    ("no/net.py:model", "No file 'no/net.py'"),
    ("", "is '': expected the name"),
  ],
)
def test_what_is_no_model_is_refused(model, message):
  with pytest.raises(ValueError, match=message):
    model_flag.load(model)


def test_directory_with_something_else_is_refused(tmp_path):
  with pytest.raises(ValueError) as refused:
    model_flag.load(str(tmp_path))
  assert contract.MODULE_DEF_FILE in str(refused.value)
  assert contract.SAVED_MODEL_FILE in str(refused.value)


@pytest.mark.parametrize(
  "name",
  ["", "model.ckpt-7", "model.ckpt-7.index", "checkpoint"]
  + ["model.ckpt-7.data-00000-of-00001"],
)
def test_the_graph_of_a_checkpoint_is_suggested(name, tmp_path):
  for ending in ("meta", "index", "data-00000-of-00001"):
    (tmp_path / f"model.ckpt-7.{ending}").write_text("")
  (tmp_path / "checkpoint").write_text("")
  path = f"{tmp_path}/{name}".rstrip("/")
  with pytest.raises(ValueError, match=r"mean \S+/model\.ckpt-7\.meta\?$"):
    model_flag.check(path)


@pytest.mark.parametrize("inner", ["1/saved_model.pb", "pets.keras"])
def test_what_a_directory_has_is_suggested(inner, tmp_path):
  (tmp_path / inner).parent.mkdir(exist_ok=True)
  (tmp_path / inner).write_text("")
  name = inner.partition("/")[0]
  with pytest.raises(ValueError, match=rf"mean {tmp_path}/{name}\?$"):
    model_flag.check(str(tmp_path))


@pytest.mark.parametrize("name", ["net.pt", "net.tflite", "frozen.pb", "x"])
def test_files_of_other_formats_are_told(name, tmp_path):
  (tmp_path / name).write_text("")
  with pytest.raises(ValueError, match="name.*, not one of another format$"):
    model_flag.check(str(tmp_path / name))


def test_weights_are_for_applications():
  with pytest.raises(ValueError, match="'w.h5'.*Applications only"):
    model_flag.load("package.module:model", weights="w.h5")


@pytest.mark.parametrize(
  ("model", "near"),
  [
    ("my_modle", "my_model"),
    ("{}/my_modle", "/my_model"),
    ("pet.keras", "pets.keras"),
    ("pets", "pets.keras"),
    ("{}/ntes.py:net", "/nets.py"),
  ],
)
@pytest.mark.parametrize("more", [{}, {"weights": "random"}])
def test_what_stands_beside_it_is_suggested(
  model, near, more, tmp_path, monkeypatch
):
  """Whatever else is asked for, and not as an Application's name."""
  monkeypatch.chdir(tmp_path)
  (tmp_path / "my_model").mkdir()
  for name in ("pets.keras", "nets.py"):
    (tmp_path / name).write_text("")
  with pytest.raises(ValueError) as raised:
    model_flag.load(model.format(tmp_path), **more)
  message = str(raised.value)
  assert message.startswith("--model is ")
  assert f"id you mean {tmp_path if '{}' in model else ''}{near}" in message
  assert "has no Application" not in message
