# SPDX-License-Identifier: Apache-2.0
"""The directory of a reusable SavedModel; what it does, conformance tells."""

from __future__ import annotations

import json

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.untrusted import saved_models
from tests.support import models

_FILES = {
  "assets.extra/golden.json",
  "assets.extra/manifest.json",
  "fingerprint.pb",
  "saved_model.pb",
  "variables/variables.data-00000-of-00001",
  "variables/variables.index",
}


@pytest.fixture(scope="module")
def spec():
  model = models.by_name("functional")
  return model.build(model.make_source("").fn, batch_norm_momentum=True)


@pytest.fixture(scope="module")
def written(spec, tmp_path_factory):
  path = tmp_path_factory.mktemp("saved_model") / "module"
  return path, spec.export_saved_model(path)


def _files(path):
  return {
    file.relative_to(path).as_posix(): file.read_bytes()
    for file in path.rglob("*")
    if file.is_file()
  }


def test_files(written):
  assert set(_files(written[0])) == _FILES


def test_the_same_bytes_after_other_functions(spec, written, tmp_path):
  for i in range(3):
    tf.function(lambda x: x + 1.0)(tf.constant(float(i)))
  spec.export_saved_model(tmp_path / "again")
  assert _files(tmp_path / "again") == _files(written[0])


def test_summary(written):
  _, summary = written
  assert summary.format == "saved_model" and summary.verified
  compared = {(d.variant, d.kind) for d in summary.differences}
  assert {("inference", "output"), ("train", "variable")} <= compared
  assert set(summary.signatures) == {
    *("default", "image_feature_vector", "serving_default"),
  }
  assert list(summary.signatures["serving_default"]) == ["default"]


def test_golden_example_is_its_answer(written):
  path, _ = written
  golden = json.loads((path / "assets.extra/golden.json").read_text())
  _, height, width, _ = golden["input"]["shape"]
  y, x, c = np.ogrid[:height, :width, :3]
  image = ((37 * x * x + 71 * y * y + 23 * x * y + 101 * c) % 256) / 255
  found = tf.saved_model.load(str(path))(tf.constant(image[None], tf.float32))
  expected = golden["outputs"]["image_feature_vector"]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_labels_travel_along(tmp_path):
  model = models.by_name("softmax")
  labels = ["ä", "b", "c", "d"]
  spec = model.build(model.make_source("").fn, labels=labels)
  spec.export_saved_model(tmp_path / "module", verify=False)
  assert hie.load_labels(tmp_path / "module") == labels


def test_loads_for_strangers(written):
  """Nothing in it could touch a consumer's machine (F5)."""
  saved_models.refuse_reaching_out(str(written[0]))


def test_sessions_restore_and_save_it(written, tmp_path):
  path, _ = written
  loaded = tf.saved_model.load(str(path))
  images = np.random.RandomState(0).uniform(size=[2, 12, 10, 3])
  with tf.compat.v1.Session(graph=tf.Graph()) as session:
    meta = tf.compat.v1.saved_model.load(session, ["serve"], str(path))
    signature = meta.signature_def["serving_default"]
    found = session.run(
      signature.outputs["default"].name,
      {signature.inputs["images"].name: images},
    )
    saver = meta.saver_def
    session.run(
      saver.save_tensor_name, {saver.filename_tensor_name: f"{tmp_path}/v"}
    )
  expected = loaded(tf.constant(images, tf.float32))
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
  reader = tf.train.load_checkpoint(f"{tmp_path}/v")
  assert set(reader.get_variable_to_shape_map()) == set(
    tf.train.load_checkpoint(
      f"{path}/variables/variables"
    ).get_variable_to_shape_map()
  )


def test_what_differs_is_not_written(spec, tmp_path, monkeypatch):
  from hub_image_export.weights import checkpoint_writer

  def write(prefix, variables, strings, real=checkpoint_writer._write_group):
    real(prefix, variables, strings)
    reader = tf.train.load_checkpoint(prefix)
    names = sorted(reader.get_variable_to_shape_map())
    values = [reader.get_tensor(name) for name in names]
    tf.raw_ops.SaveV2(
      prefix=prefix,
      tensor_names=names,
      shape_and_slices=[""] * len(names),
      tensors=[
        v if isinstance(v, bytes) else v * np.float32(1.1) for v in values
      ],
    )

  monkeypatch.setattr(checkpoint_writer, "_write_group", write)
  with pytest.raises(hie.VerificationError, match="differs from the source"):
    spec.export_saved_model(tmp_path / "module")
  assert not list(tmp_path.iterdir())


def test_only_a_module_is_replaced(spec, tmp_path):
  path = tmp_path / "module"
  spec.export_saved_model(path, verify=False)
  with pytest.raises(hie.ExportError, match="immutable"):
    spec.export_saved_model(path, verify=False)
  spec.export(path, overwrite=True, verify=False)
  spec.export_saved_model(path, overwrite=True, verify=False)
  assert not (path / "tfhub_module.pb").exists()
  (path / "notes.txt").write_text("years of work")
  with pytest.raises(hie.ExportError, match="notes.txt"):
    spec.export_saved_model(path, overwrite=True)


def test_checkpoints_give_the_values(spec, tmp_path):
  values = {v.name: v.read().numpy() + 0.5 for v in spec.function.variables}
  np.savez(tmp_path / "w.npz", **values)
  spec.export_saved_model(tmp_path / "m", tmp_path / "w.npz", verify=False)
  loaded = tf.saved_model.load(str(tmp_path / "m"))
  for variable in loaded.variables:
    name = variable.name.partition(":")[0]
    np.testing.assert_array_equal(variable.numpy(), values[name])
