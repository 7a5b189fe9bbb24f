# SPDX-License-Identifier: Apache-2.0
"""Files of models and weights run no code, and read no other file."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile

import h5py
import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.sources import keras_files as model_files
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import keras_files, limits
from hub_image_export.weights import readers
from tests.untrusted import saved_cases, watched

layers = tf.keras.layers
_KERAS_2 = tf.keras.Model.__module__.startswith("keras.src.engine")


def _model(*inner):
  return tf.keras.Sequential(
    [
      tf.keras.Input([8, 8, 3]),
      layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2"),
      *inner,
      layers.GlobalAveragePooling2D(),
    ]
  )


def _save(path, config, **members):
  """A file with a description of a model, and perhaps more."""
  text = config if isinstance(config, (bytes, str)) else json.dumps(config)
  if str(path).endswith(".h5"):
    with h5py.File(path, "w") as file:
      file.attrs["model_config"] = text
    return
  with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("config.json", text)
    for name, content in members.items():
      archive.writestr(name, content)


def _refused(path, outside, words):
  with (
    watched.nothing_happens(os.path.dirname(path), outside) as happened,
    pytest.raises((ValueError, hie.WeightsError), match=words),
  ):
    model_files.load(path)
  assert not happened


@pytest.fixture
def outside(tmp_path, monkeypatch):
  """A folder that nothing may change, and a file in it."""
  folder = tmp_path / "outside"
  folder.mkdir()
  (folder / "victim").write_text("precious")
  (tmp_path / "inside").mkdir()
  monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "inside"))
  return str(folder)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_lambda_is_refused_before_it_runs(suffix, tmp_path):
  """Keras 2 runs the bytecode in an HDF5 file without asking."""
  ran = str(tmp_path / "ran")
  layer = layers.Lambda(lambda x: (open(ran, "w").close(), x)[1])
  path = str(tmp_path / f"model{suffix}")
  _model(layer).save(path)
  if os.path.exists(ran):
    os.remove(ran)
  with pytest.raises(ValueError, match="Lambda.*file.py:name"):
    model_files.load(path)
  assert not os.path.exists(ran)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_ordinary_models_are_let_be(suffix, tmp_path):
  path = str(tmp_path / f"model{suffix}")
  x = images = tf.keras.Input([32, 32, 3])
  x = layers.Rescaling(2.0, -1.0)(x) * 2.0 + 1.0
  x = 1.0 - x[:, 1:, ::2]
  x = layers.Conv2D(4, 3, activation=tf.keras.activations.swish)(x)
  x = layers.Dense(3, activation=tf.nn.relu6)(layers.Flatten()(x))
  tf.keras.Model(images, x).save(path)
  keras_files.refuse_keras_code(path)
  if suffix == ".keras":  # Keras 3 cannot read its own slices in HDF5.
    model_files.load(path)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "EfficientNetB0"])
def test_applications_are_let_be(name, tmp_path):
  path = str(tmp_path / "model.keras")
  build = getattr(tf.keras.applications, name)
  build(weights=None, include_top=False, input_shape=[32, 32, 3]).save(path)
  keras_files.refuse_keras_code(path)


def _class(module, kind, config=None, **more):
  item = {"module": module, "class_name": kind, "config": config or {}}
  return {**item, **more}


def _function_layer(kind, symbol, module=None):
  """One that Keras 2 would call with constants of the file."""
  config = {"name": "x", "function": symbol, "trainable": False}
  return _class(
    module, kind, config, name="x",
    inbound_nodes=[[["_CONSTANT_VALUE", -1, "victim", {}]]],
  )  # fmt: skip


_SYMBOLS = [
  "io.write_file", "compat.v1.write_file", "py_function", "raw_ops.WriteFile",
  "saved_model.load", "load_op_library", "load_library", "io.gfile.copy",
  "io.gfile.rmtree", "keras.utils.get_file", "keras.models.load_model",
  "train.load_checkpoint", "data.Dataset.from_generator", "numpy_function",
  "nn.fixed_unigram_candidate_sampler", "map_fn", "no such thing", 3, None,
]  # fmt: skip
_OP_LAYERS = "keras.src.layers.core.tf_op_layer"

_ITEMS = [
  # Classes and functions, by whatever name.
  _class("os", "system"),
  _class("builtins", "exec"),
  _class("builtins", "function", "eval"),
  _class("builtins", "function", "open"),
  _class("subprocess", "function", "run"),
  _class("keras.utils", "function", "get_file"),
  _class("keras.config", "function", "enable_unsafe_deserialization"),
  _class("keras.saving", "function", "load_model"),
  _class("keras.src.utils.python_utils", "function", "func_load"),
  _class("keras.src.layers.core.lambda_layer", "function", "python_utils"),
  _class("keras.losses", "function", "deserialize"),
  _class("keras.activations", "function", "get"),
  _class("tensorflow.io", "function", "write_file"),
  _class("tensorflow.python.ops.io_ops", "function", "write_file"),
  _class("kerasx.layers", "Dense"),
  _class("my_package.layers", "Dense"),
  _class("", "Dense"),
  _class([], "Dense"),
  # Layers with code of their own, and their spellings.
  _class("keras.layers", "Lambda"),
  _class(None, "Lambda"),
  _class("keras", "layers.Lambda"),
  _class("keras.src.layers.core", "lambda_layer.Lambda"),
  _class("keras.layers", "TFSMLayer", {"filepath": "/tmp/x"}),
  _class("keras", "layers.TFSMLayer", {"filepath": "/tmp/x"}),
  _class("keras.src.export.tfsm_layer", "TFSMLayer", {"filepath": "/tmp/x"}),
  _class("keras.src.layers", "TorchModuleWrapper"),
  _class("keras", "src.layers.TorchModuleWrapper"),
  _class("keras.layers", "JaxLayer"),
  _class("keras.layers", "FlaxLayer"),
  _class(None, "__lambda__"),
  _class(None, "TensorFlowOpLayer", {"node_def": "op: WriteFile"}),
  _class("keras.layers.Dense", "from_config"),
  _class("keras.layers", "Layer"),
  # Whoever holds a symbol of TensorFlow.
  *[_function_layer("TFOpLambda", symbol) for symbol in _SYMBOLS],
  *[_function_layer("SlicingOpLambda", symbol) for symbol in _SYMBOLS],
  _function_layer("SlicingOpLambda", "io.write_file", _OP_LAYERS),
  _function_layer("core.tf_op_layer.TFOpLambda", "write", "keras.src.layers"),
  _class(None, "ClassMethod", {"cls_symbol": "io", "method_name": "x"}),
  _class(_OP_LAYERS, "ClassMethod", {"cls_symbol": "x", "method_name": "load"}),
  _class(None, "InstanceProperty", {"attr_name": "graph"}),
  _class(None, "InstanceMethod", {"method_name": "tofile"}),
  _class("keras.src.ops.core", "Map", {"f": "x"}),
  # What is no class, but is looked up, or opened.
  _class("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
  _class("keras.layers", "TextVectorization", {"vocabulary": "/etc/passwd"}),
  _class("keras.layers", "Dense", {"activation": "io.write_file"}),
  _class("keras.layers", "Dense", {"kernel_initializer": _class("os", "x")}),
  _class("keras.layers", "Dense", {"kernel_regularizer": _class("os", "x")}),
  _class("keras.layers", "Dense", {"dtype": _class("os", "x")}),
  _class("keras.layers", "Dense", {}, build_config=_class("os", "x")),
  _class("keras.layers", "Dense", {}, compile_config={"x": _class("os", "x")}),
  _class(None, "__typespec__", [], spec_name="x"),
  _class(None, "TypeSpec", {}, type_spec="tf.TensorSpec", serialized=[]),
  _class(None, "CompositeTensor"),
  ["_COMPOSITE_TYPE", "{}"],
  _class(None, "__numpy__", {"value": [""], "dtype": "S1000000000"}),
  _class(None, "__tensor__", {"value": [""], "dtype": "O"}),
  # Of the wrong kind.
  _class("keras.layers", []),
  _class("keras.layers", {}),
  _class("keras.layers", None),
  _class("keras.layers", "function", ["x"]),
  # A call with constants alone runs at once.
  _class(
    "keras.layers", "Dense", {"units": 2}, name="x",
    inbound_nodes=[{"args": [[1.0, 2.0]], "kwargs": {}}],
  ),
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_reaches_beyond_layers_is_refused(suffix, tmp_path, outside):
  path = str(tmp_path / "inside" / f"model{suffix}")
  for item in _ITEMS:
    config = _class("keras", "Sequential", {"layers": [{"x": [item]}]})
    _save(path, config)
    with watched.nothing_happens(os.path.dirname(path), outside) as happened:
      try:
        model_files.load(path)
      except ValueError as error:
        assert "could run code" in str(error), item
        assert "file.py:name" in str(error), item
      else:
        pytest.fail(f"{item} was loaded")
    assert not happened, item


def test_own_classes_that_keras_knows_are_refused(tmp_path, outside):
  """Keras looks among the registered ones first, by name."""

  @tf.keras.utils.register_keras_serializable("evil", "Thing")
  class Thing(tf.keras.layers.Dense):
    pass

  path = str(tmp_path / "inside" / "model.keras")
  for item in (
    _class("keras.layers", "Dense", {"units": 1}, registered_name="evil>Thing"),
    _class(None, "evil>Thing"),
    _class("keras.layers", "evil>Thing"),
  ):
    _save(path, item)
    _refused(path, outside, "could run code")


def test_a_saved_model_behind_a_layer_is_not_loaded(tmp_path, outside):
  """Keras 3.5 takes the layer by this spelling, and would write the file."""
  target = os.path.join(outside, "new")
  saved = str(tmp_path / "saved")
  saved_cases.v1_with(
    saved, lambda: tf.io.write_file(target, "x"), main_op=True
  )
  path = str(tmp_path / "inside" / "model.keras")
  for module, name in (
    ("keras", "layers.TFSMLayer"),
    ("keras.layers", "TFSMLayer"),
    ("keras.src", "layers.TFSMLayer"),
    ("keras.src.export.export_lib", "TFSMLayer"),
    ("keras._tf_keras.keras.layers", "TFSMLayer"),
    (None, "TFSMLayer"),
  ):
    layer = _class(module, name, {"filepath": saved, "name": "x"})
    _save(path, _class("keras", "Sequential", {"layers": [layer]}))
    _refused(path, outside, "TFSMLayer")


@pytest.mark.skipif(not _KERAS_2, reason="Keras 3 has no such layers.")
def test_keras_2_runs_what_slicing_layers_name(tmp_path):
  """Why they are refused: Keras' own loader writes the file."""
  target = str(tmp_path / "written")
  path = str(tmp_path / "model.h5")
  images = tf.keras.Input([8, 8, 3])
  model = tf.keras.Model(images, images[:, 1:])
  model.save(path)
  with h5py.File(path, "r+") as file:
    config = json.loads(file.attrs["model_config"])
    layer = config["config"]["layers"][1]
    assert layer["class_name"] == "SlicingOpLambda"
    layer["config"]["function"] = "io.write_file"
    layer["inbound_nodes"] = [
      ["_CONSTANT_VALUE", -1, target, {"contents": "x"}]
    ]
    file.attrs["model_config"] = json.dumps(config)
  with pytest.raises(ValueError, match="io.write_file"):
    model_files.load(path)
  assert not os.path.exists(target)
  with pytest.raises(Exception):  # noqa: B017, whatever Keras raises.
    tf.keras.models.load_model(path, compile=False)
  assert os.path.exists(target)


@pytest.mark.parametrize(
  ("content", "words"),
  [
    ({"config": b" " * (limits.MAX_JSON_BYTES + 1)}, "bytes"),
    ({"config": b"[" * 10**6 + b"]" * 10**6}, "levels"),
    ({"config": b'{"a":' * 300 + b"1" + b"}" * 300}, "levels"),
    ({"config": "{}", "model.weights.npz": b"x"}, "does not write"),
    ({"config": "{}", "../evil": b"x"}, "does not write"),
    ({"config": "{}", "/etc/evil": b"x"}, "does not write"),
    ({"config": "{}", "assets/../../evil": b"x"}, "does not write"),
    ({"config": "{}", "code.py": b"x"}, "does not write"),
    ({"config": "{}", "assets/a": b"\0" * 2**29}, "hold"),
    ({"config": "{}", "model.weights.h5": b"\0" * 2**29}, "hold"),
    ({"config": "{"}, "Expecting"),
    ({"config": b"\xff\xfe\xfa"}, "decode|codec"),
  ],
)
def test_archives_have_limits(content, words, tmp_path, outside):
  path = str(tmp_path / "inside" / "model.keras")
  _save(path, **content)
  assert os.path.getsize(path) < 2**21
  _refused(path, outside, words)


def test_pickles_in_archives_are_not_read(tmp_path, outside):
  """Keras 2 unpickles weights in an .npz file."""
  ran = os.path.join(outside, "ran")

  class Harm:
    def __reduce__(self):
      return open, (ran, "w")

  content = io.BytesIO()
  np.savez(content, a=np.array([Harm()], dtype=object))
  path = str(tmp_path / "inside" / "model.keras")
  model = _model()
  model.save(path)
  with zipfile.ZipFile(path) as archive:
    config = archive.read("config.json")
  _save(path, config, **{"model.weights.npz": content.getvalue()})
  _refused(path, outside, "npz")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_layers_take_no_more_memory_than_files_hold(suffix, tmp_path, outside):
  path = str(tmp_path / "inside" / f"model{suffix}")
  _model(layers.Dense(7)).save(path)
  if suffix == ".keras":
    with zipfile.ZipFile(path) as archive:
      content = {name: archive.read(name) for name in archive.namelist()}
    config = content.pop("config.json").replace(
      b'"units": 7', b'"units": 9' + b"9" * 8
    )
    _save(path, config, **content)
  else:
    with h5py.File(path, "r+") as file:
      config = file.attrs["model_config"]
      file.attrs["model_config"] = config.replace(
        '"units": 7', '"units": 999999999'
      )
  _refused(path, outside, "cannot be read.*weights of shape")


def _external(folder, path):
  """Weights of which one stands in another file of the machine."""
  secret = folder / "secret"
  secret.write_bytes(b"s" * 64)
  model = _model()
  model.save_weights(path)
  with h5py.File(path, "r+") as file:
    places = []
    file.visititems(
      lambda place, item: (
        places.append(place)
        if isinstance(item, h5py.Dataset) and item.shape == (4,)
        else None
      )
    )
    del file[places[0]]
    file.create_dataset(
      places[0], (4,), np.float32, external=[(str(secret), 0, 16)]
    )
  return model


def test_values_in_other_files_are_refused(tmp_path):
  """They would be published with the module."""
  path = str(tmp_path / "model.weights.h5")
  model = _external(tmp_path, path)
  with pytest.raises(hie.WeightsError, match="not its own"):
    readers.open_values(path)
  spec = hie.make_feature_vector_module(model, 8, 8)
  with pytest.raises(hie.WeightsError, match="not its own"):
    spec.export(tmp_path / "module", checkpoint_path=path)
  assert not (tmp_path / "module").exists()


def _link(file, folder):
  other = folder / "other.h5"
  with h5py.File(other, "w") as secret:
    secret["secret"] = np.ones(4, np.float32)
  file["group/value"] = h5py.ExternalLink(str(other), "secret")


def _virtual(file, folder):
  layout = h5py.VirtualLayout((4,), np.float32)
  layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "a", shape=(4,))
  file.create_virtual_dataset("group/value", layout)


def _bomb(file, folder):
  file.create_dataset("group/value", (2**34,), np.float32, chunks=(2**20,))


def _many(file, folder):
  for i in range(60):
    file.require_group(f"group/{i}")


def _plug_in(file, folder):
  properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
  properties.set_chunk((4,))
  properties.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, ())
  space = h5py.h5s.create_simple((4,))
  h5py.h5d.create(
    file.id, b"value", h5py.h5t.IEEE_F32LE, space, dcpl=properties
  )


@pytest.mark.parametrize(
  ("make", "words"),
  [
    (_link, "value in another file"),
    (_virtual, "value in another file"),
    (_bomb, "more bytes"),
    (_many, "more than .* entries"),
    (_plug_in, "compression"),
  ],
)
def test_hdf5_has_limits(make, words, tmp_path, monkeypatch):
  monkeypatch.setattr(limits, "MAX_ENTRIES", 50 if make is _many else 10**5)
  path = tmp_path / "linked.h5"
  with h5py.File(path, "w") as file:
    make(file, tmp_path)
  with pytest.raises(hie.WeightsError, match=words):
    readers.open_values(str(path))


def test_pickles_in_numpy_files_are_refused(tmp_path):
  ran = tmp_path / "ran"

  class Harm:
    def __reduce__(self):
      return open, (str(ran), "w")

  path = tmp_path / "weights.npz"
  np.savez(path, a=np.array([Harm()], dtype=object))
  with pytest.raises(hie.WeightsError, match="Python objects"):
    readers.open_values(str(path))
  assert not ran.exists()


def test_numpy_files_have_limits(tmp_path):
  path = tmp_path / "weights.npz"
  header = io.BytesIO()
  np.lib.format.write_array_header_1_0(
    header, {"shape": (2**40,), "fortran_order": False, "descr": "<f4"}
  )
  with zipfile.ZipFile(path, "w") as archive:
    archive.writestr("a.npy", header.getvalue())
  with pytest.raises(hie.WeightsError, match="not whole"):
    readers.open_values(str(path))
  np.savez_compressed(path, a=np.zeros(2**27, np.float32))
  with pytest.raises(hie.WeightsError, match="that hold"):
    readers.open_values(str(path))


def test_checkpoints_have_limits(tmp_path):
  """A value cannot be larger than the files that hold it."""
  prefix = str(tmp_path / "checkpoint")
  tf.raw_ops.SaveV2(
    prefix=prefix, tensor_names=["a"], shape_and_slices=[""],
    tensors=[tf.zeros([1000])],
  )  # fmt: skip
  readers.open_values(prefix)
  os.truncate(prefix + ".data-00000-of-00001", 100)
  with pytest.raises(hie.WeightsError, match="100 bytes"):
    readers.open_values(prefix)
