# SPDX-License-Identifier: Apache-2.0
"""F2: one trace, where training cannot differ; two in any doubt."""

from __future__ import annotations

import importlib
import importlib.util

import numpy as np
import pytest

from hub_image_export.sources import as_source
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing import image_function
from hub_image_export.tracing.image_function import make_image_function
from hub_image_export.tracing.returned import Request
from hub_image_export.tracing.trace import Plan, trace
from hub_image_export.tracing.training_independence import (
  training_cannot_differ,
)
from tests.support import models
from tests.support.keras_sources import HAS_KERAS_2, SHAPE, keras, layers

IMAGE_SIZE = (32, 32)


def plan_of(fn, size=SHAPE[:2], preprocess=None) -> Plan:
  request = Request(("image_feature_vector",))
  return Plan(as_source(fn, *size), request, preprocess, size)


def proven(fn, size=SHAPE[:2], preprocess=None) -> bool:
  plan = plan_of(fn, size, preprocess)
  return training_cannot_differ(plan.source, trace(plan, training=False))


def sequential(*added, package=keras):
  return package.Sequential(
    [
      package.layers.InputLayer(SHAPE),
      package.layers.Conv2D(4, 3, activation="relu"),
      *added,
      package.layers.GlobalAveragePooling2D(),
    ]
  )


def functional(compute):
  inputs = keras.Input(SHAPE)
  outputs = layers.GlobalAveragePooling2D()(compute(inputs))
  return keras.Model(inputs, outputs)


def block(x, package=keras):
  """As in ConvNeXt."""
  y = package.layers.DepthwiseConv2D(3, padding="same")(x)
  y = package.layers.LayerNormalization()(y)
  y = package.layers.Dense(3, activation="gelu")(y)
  return package.layers.Add()([x, package.layers.Activation("swish")(y)])


def with_regularizers():
  return sequential(
    layers.Conv2D(
      2, 3, kernel_regularizer="l2", kernel_constraint="max_norm", groups=2
    ),
    layers.Dense(3, activity_regularizer=keras.regularizers.L1(0.1)),
  )


def fitted():
  def loss(wanted, got):
    return tf.reduce_mean((wanted - got) ** 2)

  model = sequential()
  model.compile("sgd", loss, metrics=[loss])
  model.fit(np.zeros([2, *SHAPE]), np.zeros([2, 4]), verbose=0)
  model.predict(np.zeros([2, *SHAPE]), verbose=0)
  return model


PROVEN = {
  "convolutions": sequential,
  "a block": lambda: functional(block),
  "a model within a model": lambda: functional(lambda x: sequential_map()(x)),
  "regularizers": with_regularizers,
  "mixed precision": lambda: sequential(layers.Dense(3, dtype="mixed_float16")),
  "fitted": fitted,
}


def sequential_map():
  return keras.Sequential([layers.Conv2D(4, 3), layers.PReLU()])


@pytest.mark.parametrize("name", PROVEN)
def test_layers_that_take_no_training_are_proven(name):
  assert proven(PROVEN[name]())


def doubled(x):
  return 2.0 * x


class Doubled(layers.Layer):
  def call(self, x):
    return doubled(x)


class OfModel(keras.Model):
  def __init__(self):
    super().__init__()
    self.conv = layers.Conv2D(4, 3)

  def call(self, x):
    return tf.reduce_mean(self.conv(x), [1, 2])


class Derived(layers.Dense):
  """May do anything, like any class that is not listed."""


def with_replaced_call():
  conv = layers.Conv2D(4, 3)
  model = sequential(conv)
  conv.call = doubled
  return model


def with_replaced_call_of_model():
  model = sequential()
  model.call = lambda x, training=None, mask=None: tf.reduce_mean(x, [1, 2])
  return model


def frozen_batch_norm():
  return sequential(layers.BatchNormalization(trainable=False))


def closure():
  model = sequential()
  return lambda images, training: model(images, training=training)


def dense(**options):
  return sequential(layers.Dense(3, **options))


DOUBTED = {
  "batch norm": lambda: sequential(layers.BatchNormalization()),
  "frozen batch norm": frozen_batch_norm,
  "dropout": lambda: sequential(layers.Dropout(0.5)),
  "no dropout": lambda: sequential(layers.Dropout(0.0)),
  "noise": lambda: sequential(layers.GaussianNoise(0.5)),
  "random flip": lambda: sequential(layers.RandomFlip()),
  "function as layer": lambda: sequential(layers.Lambda(doubled)),
  "custom layer": lambda: sequential(Doubled()),
  "custom layer, nested": lambda: functional(
    lambda x: keras.Sequential([Doubled()])(x)
  ),
  "subclass of a layer": lambda: sequential(Derived(3)),
  "subclassed model": OfModel,
  "custom activation": lambda: dense(activation=doubled),
  "custom activation layer": lambda: sequential(layers.Activation(doubled)),
  "closure as activation": lambda: dense(activation=lambda x: 2.0 * x),
  "tf.function": lambda: dense(activation=tf.function(doubled)),
  "custom layer as activation": lambda: dense(activation=Doubled()),
  "replaced call": with_replaced_call,
  "replaced call of the model": with_replaced_call_of_model,
  "closure": closure,
}


@pytest.mark.parametrize("name", DOUBTED)
def test_what_might_look_at_training_is_not_proven(name):
  assert not proven(DOUBTED[name]())


def test_changes_of_state_are_not_proven():
  counter = tf.Variable(0.0)

  def counted(images):
    counter.assign_add(1.0)
    return images

  assert proven(sequential(), preprocess=doubled)
  assert not proven(sequential(), preprocess=counted)


def test_the_context_of_a_call_is_why_functions_are_doubted():
  """An activation that is told of training by Keras alone."""
  if not HAS_KERAS_2:
    pytest.skip("Keras 3 has no in_train_phase")

  def activation(x):
    return keras.backend.in_train_phase(2.0 * x, x)

  model = dense(activation=activation)
  assert not proven(model)
  assert len(make_image_function(plan_of(model)).variants) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
  ("name", "expected"),
  [("ConvNeXtTiny", False), ("VGG16", True), ("MobileNetV2", False)],
)
def test_applications(name, expected):
  make = getattr(keras.applications, name)
  model = make(
    weights=None,
    include_top=False,
    pooling="avg",
    input_shape=(*IMAGE_SIZE, 3),
  )
  assert proven(model, IMAGE_SIZE) is expected
  if expected:
    once = make_image_function(plan_of(model, IMAGE_SIZE))
    _assert_same(once, _as_traced_twice(model, IMAGE_SIZE))


@pytest.mark.skipif(
  HAS_KERAS_2 or not importlib.util.find_spec("tf_keras"),
  reason="tf_keras stands beside Keras 3",
)
def test_tf_keras():
  package = importlib.import_module("tf_keras")
  inputs = package.Input(SHAPE)
  outputs = package.layers.GlobalAveragePooling2D()(block(inputs, package))
  assert proven(package.Model(inputs, outputs))
  batch_norm = package.layers.BatchNormalization()
  assert not proven(sequential(batch_norm, package=package))


def _as_traced_twice(fn, size=SHAPE[:2]):
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(
      image_function, "training_cannot_differ", lambda source, inference: False
    )
    return make_image_function(plan_of(fn, size))


def _assert_same(once, twice):
  assert len(once.variants) == len(twice.variants) == 1
  assert once.inference.computes_the_same_as(twice.inference)
  for function in (once, twice):
    assert function.widths == once.widths
    assert [(v.name, v.trainable) for v in function.variables] == [
      (v.name, v.trainable) for v in once.variables
    ]
    assert len(function.inference.penalties) == len(once.inference.penalties)


@pytest.mark.parametrize("name", PROVEN)
def test_the_second_trace_would_change_nothing(name):
  model = PROVEN[name]()
  _assert_same(make_image_function(plan_of(model)), _as_traced_twice(model))


@pytest.mark.skipif(not HAS_KERAS_2, reason="Keras 3 has no such losses")
def test_losses_make_no_difference():
  model = sequential()
  model.add_loss(tf.reduce_sum(model.output))
  model.add_loss(lambda: tf.reduce_sum(model.layers[0].kernel))
  _assert_same(make_image_function(plan_of(model)), _as_traced_twice(model))


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_what_is_proven_of_the_registry_is_true(model, tmp_path, monkeypatch):
  answers = []

  def remembered(source, inference):
    answers.append(training_cannot_differ(source, inference))
    return False

  monkeypatch.setattr(image_function, "training_cannot_differ", remembered)
  spec = model.build(model.make_source(str(tmp_path)).fn)
  # Keras 2 leaves a function with an adapted layer.
  expected = model.name == "adapted" and not HAS_KERAS_2
  assert any(answers) is expected
  if expected:
    assert [set(tags) for tags in spec.get_tags()] == [set()]


@pytest.mark.parametrize("name", PROVEN)
def test_proven_models_are_traced_once(name, traced):
  make_image_function(plan_of(PROVEN[name]()))
  assert traced == [False]


@pytest.mark.parametrize("name", ["dropout", "no dropout", "custom layer"])
def test_others_are_traced_twice(name, traced):
  make_image_function(plan_of(DOUBTED[name]()))
  assert traced == [False, True]


@pytest.fixture
def traced(monkeypatch):
  """For which variants the source was traced."""
  variants = []

  def counted(plan, training):
    variants.append(training)
    return trace(plan, training)

  monkeypatch.setattr(image_function, "trace", counted)
  return variants


def test_asking_for_training_fails_the_same_way():
  with pytest.raises(
    ValueError, match="computes the same for training as for inference"
  ):
    make_image_function(plan_of(sequential()), training=True)
