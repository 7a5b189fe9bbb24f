"""Verification finds a module that does not compute what its source does."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.export import verification
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.weights import checkpoint_writer as weights
from tests.support import function_sources, models


@pytest.fixture
def made(tmp_path):
  """A net, its spec, and its module."""
  net = function_sources.Net()
  spec = hie.make_feature_vector_module(net, 12, 10)
  spec.export(tmp_path / "module", verify=False)
  return net, spec, str(tmp_path / "module")


def _verify(path, spec):
  return verification.verify(path, spec.function, spec.interface)


def test_a_true_module_passes(made):
  _, spec, path = made
  verified = _verify(path, spec)
  assert [(d.variant, d.part) for d in verified.differences] == [
    ("inference", "output image_feature_vector/default"),
    ("train", "output image_feature_vector/default"),
    ("train", "variable net/mean"),
    ("train", "variable net/variance"),
  ]
  assert all(d.absolute < 1e-5 for d in verified.differences)
  assert verified.notes == []


def test_each_output_is_compared(tmp_path):
  model = models.by_name("two_tasks")
  summary = model.build(model.make().fn).export(tmp_path / "module")
  names = [d.name for d in summary.differences if d.variant == "inference"]
  assert names == [
    "image_classification/Tiny/relu",
    "image_classification/default",
    "image_feature_vector/Tiny/relu",
    "image_feature_vector/default",
  ]


def test_tampered_weights_fail(made):
  net, spec, path = made
  net.kernel.assign(1.01 * net.kernel)
  weights.write_checkpoint(
    weights.variables_prefix(path), spec.function.variables
  )
  net.kernel.assign(net.kernel / 1.01)
  with pytest.raises(hie.VerificationError, match="differs from the source"):
    _verify(path, spec)


def test_a_corrupt_checkpoint_fails(made):
  _, spec, path = made
  (data,) = pathlib.Path(path, "variables").glob("*.data*")
  content = bytearray(data.read_bytes())
  content[len(content) // 2] ^= 0xFF
  data.write_bytes(content)
  with pytest.raises(hie.VerificationError):
    _verify(path, spec)


def test_nan_fails(made):
  net, spec, path = made
  net.mean.assign([np.nan] * 5)
  weights.write_checkpoint(
    weights.variables_prefix(path), spec.function.variables
  )
  with pytest.raises(hie.VerificationError, match="NaN or infinite"):
    _verify(path, spec)


def test_another_source_fails(made):
  """The module of one function is not that of another."""
  net, _, path = made
  other = hie.make_feature_vector_module(lambda x: net(x) ** 2, 12, 10)
  with pytest.raises(hie.VerificationError):
    _verify(path, other)


def test_a_failure_is_not_exported(tmp_path, monkeypatch):
  spec = hie.make_feature_vector_module(function_sources.Net(), 12, 10)
  write = weights.write_checkpoint

  def tampering(prefix, variables):
    write(prefix, variables)
    kernel = next(v for v in variables if v.name == "net/kernel")
    kernel.source.assign(2.0 * kernel.source)

  monkeypatch.setattr(weights, "write_checkpoint", tampering)
  with pytest.raises(hie.VerificationError):
    spec.export(tmp_path / "module")
  assert not list(tmp_path.iterdir())


def test_differences_of_other_sizes_are_found(tmp_path):
  """With variable sizes, a second size is compared, too."""
  net = function_sources.Net()

  def fn(images):
    return net(images) * tf.cast(tf.shape(images)[1], tf.float32)

  spec = hie.make_feature_vector_module(fn, 12, 10, variable_size=True)
  batches = verification.inference_batches(spec.interface)
  assert {batch.shape[1:3] for batch in batches} == {(12, 10), (44, 74)}
  spec.export(tmp_path / "module")
