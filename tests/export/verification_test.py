# SPDX-License-Identifier: Apache-2.0
"""Verification finds a module that does not do what its source does.

Nothing here asks how it is done: faults are planted into modules, or into the
passes that make them, and have to be found, and told by name.
"""

from __future__ import annotations

import contextlib
import pathlib
import random
import threading

import numpy as np
import pytest

import hub_image_export as hie
from hub_image_export.export import compared_images, verification
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing import passes, policies
from hub_image_export.weights import checkpoint_writer as weights
from tests.support import function_sources, keras_sources, models, state_sources

layers = tf.keras.layers


def _verify(path, spec):
  return verification.verify(path, spec.function, spec.interface)


@pytest.fixture
def made(tmp_path):
  """A net, its spec, and its module."""
  net = function_sources.Net()
  spec = hie.make_feature_vector_module(net, 12, 10)
  spec.export(tmp_path / "module", verify=False)
  return net, spec, str(tmp_path / "module")


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
  for variant in ("inference", "train"):
    found = [d for d in summary.differences if d.variant == variant]
    assert [d.name for d in found if d.kind == "output"] == [
      "image_classification/Tiny/relu",
      "image_classification/default",
      "image_feature_vector/Tiny/relu",
      "image_feature_vector/default",
    ]
  assert "train: 4 x output" in str(summary)


# Faults of the module on disk.


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("dtype", ["mixed_float16", "float32"])
def test_probabilities_of_half_floats(activation, dtype, tmp_path):
  """Coarse ones are no difference, nor is an activation of finer numbers."""
  keras_sources.keras.utils.set_random_seed(0)
  model = tf.keras.Sequential(
    [
      layers.Input((12, 10, 3)),
      layers.Conv2D(4, 3, dtype="mixed_float16"),
      layers.GlobalAveragePooling2D(dtype="mixed_float16"),
      layers.Dense(3, dtype="mixed_float16"),
      layers.Activation(activation, dtype=dtype),
    ]
  )
  spec = hie.make_classification_module(model, 12, 10)
  assert spec.function.inference.activations
  (difference,) = spec.export(tmp_path / "module").differences
  assert difference.relative < 1e-6


def test_tampered_weights_fail(made):
  net, spec, path = made
  net.kernel.assign(1.01 * net.kernel)
  weights.write_checkpoint(
    weights.variables_prefix(path), spec.function.variables
  )
  net.kernel.assign(net.kernel / 1.01)
  with pytest.raises(
    hie.VerificationError,
    match=r"image_feature_vector/default of the inference variant differs "
    r"from the source's.*the source gives [\d.]+ where the module gives [\d.]+",
  ):
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


# Faults of the passes that make a training variant.


def _export_with(monkeypatch, fault, source, path, **options):
  """Exports, after `fault(variant)` changed each training variant."""
  make = passes.make_variant

  def faulty(*args, **kwargs):
    variant = make(*args, **kwargs)
    if variant.tags:
      fault(variant)
    return variant

  monkeypatch.setattr(
    "hub_image_export.tracing.image_function.make_variant", faulty
  )
  monkeypatch.setattr(policies, "check_averages", lambda unused_variants: None)
  spec = hie.make_feature_vector_module(source.fn, 12, 10, **options)
  return spec.export(path)


def _drop_update(variant):
  variant.updates = variant.updates[1:]


def _other_momentum(variant):
  """Every constant that is 0.1 is 0.2, as if momentum were 0.8."""
  found = 0
  for node in variant.graph_def.node:
    if node.op == "Const" and node.attr["value"].tensor.float_val:
      (value, *_) = node.attr["value"].tensor.float_val
      if 0.05 < value < 0.95:
        node.attr["value"].tensor.float_val[0] = 0.5 * value
        found += 1
  assert found


def _penalty_twice(variant):
  variant.penalties = (*variant.penalties, variant.penalties[0])


def _gradient_lost(variant):
  """No gradient goes through the first product."""
  product = next(n for n in variant.graph_def.node if n.op == "Conv2D")
  passed = variant.graph_def.node.add(
    name="lost", op="StopGradient", input=[product.input[1]]
  )
  passed.attr["T"].CopyFrom(product.attr["T"])
  product.input[1] = "lost"


@pytest.mark.parametrize(
  ("fault", "make", "told"),
  [
    (
      _drop_update,
      function_sources.tf_module,
      r"variable net/(mean|variance) of the train variant differs",
    ),
    (
      _other_momentum,
      function_sources.tf_module,
      r"variable net/(mean|variance) of the train variant differs",
    ),
    (
      _drop_update,
      state_sources.SOURCES["shared_batch_norm"],
      r"variable shared/moving_(mean|variance) of the train variant differs",
    ),
    (
      _drop_update,
      state_sources.SOURCES["tf1_group"],
      r"variable (mean|count) of the train variant differs",
    ),
    (
      _penalty_twice,
      state_sources.SOURCES["equal_penalties_of_a_module"],
      "penalties of the train variant differ",
    ),
    (
      _gradient_lost,
      state_sources.SOURCES["running_mean_used_at_once"],
      "gradient .*kernel.* of the train variant differs",
    ),
  ],
)
def test_a_fault_of_a_pass_is_found(fault, make, told, tmp_path, monkeypatch):
  with pytest.raises(hie.VerificationError, match=told):
    _export_with(monkeypatch, fault, make(), tmp_path / "module")
  assert not list(tmp_path.iterdir())


def test_swapped_order_is_found(tmp_path, monkeypatch):
  """A read that comes before the write which the source makes first."""

  def old_value(variant):
    nodes = {n.name: n for n in variant.graph_def.node}
    (value,) = (
      n for n in nodes.values() if n.op == "StopGradient" and "/value" in n.name
    )
    read = next(
      n
      for n in nodes.values()
      if n.op == "ReadVariableOp"
      and not variant.variables[n.input[0].partition(":")[0]].trainable
    )
    value.input[0] = read.name

  source = state_sources.SOURCES["running_mean_used_at_once"]()
  with pytest.raises(hie.VerificationError, match="train variant differs"):
    _export_with(monkeypatch, old_value, source, tmp_path / "module")


# Python that ran once.


def test_a_branch_on_the_size_is_found(tmp_path):
  kernel = tf.Variable(np.ones([3, 4], np.float32), name="kernel")

  def by_size(images):
    features = tf.matmul(tf.reduce_mean(images, [1, 2]), kernel)
    return features * (2.0 if images.shape[1] == 12 else 1.0)

  spec = hie.make_feature_vector_module(by_size, 12, 10, variable_size=True)
  with pytest.raises(hie.VerificationError, match="inference variant differs"):
    spec.export(tmp_path / "module")


@pytest.mark.parametrize("kind", ["random", "counter", "numpy"])
def test_python_that_differs_each_time_is_found(kind, tmp_path):
  kernel = tf.Variable(np.ones([3, 4], np.float32), name="kernel")
  calls = []

  def fn(images):
    calls.append(1)
    factor = {
      "random": random.random,
      "numpy": np.random.rand,
      "counter": lambda: float(len(calls)),
    }[kind]()
    return factor * tf.matmul(tf.reduce_mean(images, [1, 2]), kernel)

  spec = hie.make_feature_vector_module(fn, 12, 10)
  with pytest.raises(hie.VerificationError, match="differs from itself"):
    spec.export(tmp_path / "module")


def test_python_that_draws_in_training_is_told(tmp_path):
  """As layers do that choose by Python what they do to the images."""
  net = function_sources.Net()

  def fn(images, training=False):
    return net(images) * (1.0 + random.random() if training else 1.0)

  spec = hie.make_feature_vector_module(fn, 12, 10)
  before = random.getstate()
  summary = spec.export(tmp_path / "module")
  assert "differs from itself" in str(summary.notes)
  assert random.getstate() == before


def test_another_size_is_compared(tmp_path):
  net = function_sources.Net()

  def fn(images):
    return net(images) * tf.cast(tf.shape(images)[1], tf.float32)

  spec = hie.make_feature_vector_module(fn, 12, 10, variable_size=True)
  batches = compared_images.inference_batches(spec.interface)
  assert {batch.shape[1:3] for batch in batches} == {(12, 10), (44, 74)}
  spec.export(tmp_path / "module")


# What the user has stays as it was.


def _seeds():
  return [
    random.getstate(),
    [np.array(part) for part in np.random.get_state()[1:]],
    tf.random.get_global_generator().state.numpy(),
  ]


def _bits(model):
  return [(id(w), np.array(w).tobytes()) for w in model.weights]


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_and_seeds_are_unharmed(fails, tmp_path, monkeypatch):
  tf.random.set_seed(3)
  model = keras_sources.functional().owner  # With dropout and batch norm.
  spec = hie.make_feature_vector_module(model, 12, 10)
  expectation = contextlib.nullcontext()
  if fails:
    monkeypatch.setattr(
      verification.comparison,
      "steps",
      lambda *_: (_ for _ in ()).throw(hie.VerificationError("planted")),
    )
    expectation = pytest.raises(hie.VerificationError, match="planted")
  before, seeds = _bits(model), _seeds()
  with expectation:
    spec.export(tmp_path / "module")
  assert _bits(model) == before
  for now, then in zip(_seeds(), seeds):
    np.testing.assert_equal(now, then)


def test_another_thread_sees_no_change(tmp_path):
  """It calls the model, and reads its averages, all the while."""
  model = keras_sources.functional().owner
  images = np.random.RandomState(0).rand(2, 12, 10, 3).astype(np.float32)
  spec = hie.make_feature_vector_module(model, 12, 10)
  expected, before = np.array(model(images)), _bits(model)
  stop, seen, errors = threading.Event(), [], []

  def use():
    try:
      while not stop.is_set():
        seen.append(np.array_equal(model(images), expected))
        seen.append(_bits(model) == before)
    except Exception as error:  # For the assertion below.
      errors.append(error)

  thread = threading.Thread(target=use)
  thread.start()
  try:
    for i in range(3):
      spec.export(tmp_path / f"module{i}")
  finally:
    stop.set()
    thread.join()
  assert not errors
  assert len(seen) > 2
  assert all(seen)


def test_values_of_a_checkpoint_stay_out_of_the_model(tmp_path):
  model = keras_sources.sequential().owner
  spec = hie.make_feature_vector_module(model, 12, 10)
  spec.export(tmp_path / "first")
  for weight in model.weights:
    weight.assign(0.5 * np.array(weight))
  before = _bits(model)
  summary = spec.with_weights(tmp_path / "first").export(tmp_path / "second")
  assert {d.variant for d in summary.differences} == {"inference", "train"}
  assert _bits(model) == before


def test_draws_out_of_reach_are_named(tmp_path):
  tf.random.set_seed(None)  # With one, sources repeat themselves.
  net = function_sources.Net()
  dropped = tf.function(lambda x: x[:, :1] * function_sources.sampled(5))

  def fn(images, is_training):
    features = net(images, is_training)
    if is_training:
      features = tf.matmul(dropped(features), tf.ones([5, 4]))
    return features[:, :4]

  fn_calls_function = tf.function(fn)
  spec = hie.make_feature_vector_module(
    lambda images, is_training: fn_calls_function(images, is_training), 12, 10
  )
  summary = spec.export(tmp_path / "module")
  assert "differs from itself" in summary.notes[0]
  assert "Note: " in str(summary)
  assert any(d.kind == "variable" for d in summary.differences)


def test_draws_of_a_saved_function_are_fixed(tmp_path):
  """In Keras 3 they depend on a seed that is a variable of it."""
  module = tf.Module()
  module.model = tf.keras.Sequential(
    [layers.Input((12, 10, 3)), layers.Flatten(), layers.Dropout(0.5)]
    + [layers.Dense(3)]
  )
  module.state = module.model.variables
  module.__call__ = call = tf.function(
    lambda images, training=False: module.model(images, training=training)
  )
  for training in (False, True):
    call.get_concrete_function(
      tf.TensorSpec([None, 12, 10, 3]), training=training
    )
  saved = str(tmp_path / "saved")
  tf.saved_model.save(module, saved)
  spec = hie.make_feature_vector_module(saved, 12, 10)
  summary = spec.export(tmp_path / "module")
  assert not summary.notes
  assert ("train", "output") in {
    (d.variant, d.kind) for d in summary.differences
  }


@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_are_compared_where_ops_were_rewritten(groups, tmp_path):
  """Grouped convolutions are split for TensorFlow 1.15; swish stays."""
  inputs = tf.keras.Input((12, 10, 3))
  x = layers.Conv2D(4, 1, activation="swish")(inputs)
  x = layers.BatchNormalization()(layers.Conv2D(4, 3, groups=groups)(x))
  model = tf.keras.Model(inputs, layers.GlobalAveragePooling2D()(x))
  spec = hie.make_feature_vector_module(model, 12, 10)
  summary = spec.export(tmp_path / "module")
  kinds = {d.kind for d in summary.differences}
  assert ("gradient" in kinds) == (groups > 1)
