# SPDX-License-Identifier: Apache-2.0
"""Collections and endpoints that a module cannot have: left out, or refused."""

from __future__ import annotations

import pytest

import hub_image_export as hie
from hub_image_export.tensorflow_api.compat import tf
from tests.conformance.warnings_of import messages_of
from tests.support.consumer import Consumer, random_images

v1 = tf.compat.v1
_IMAGES = random_images(3, 6, 5)


def _variable(name, *shape, **options):
  return v1.get_variable(name, shape, **options)


def _net(images, is_training, collect):
  """A network that trains; `collect` puts something into a collection."""
  x = tf.reduce_mean(images, [1, 2])
  penalty = {"regularizer": lambda w: tf.nn.l2_loss(w)}
  x = tf.matmul(x, _variable("kernel", 3, 4, **penalty))
  average = _variable("average", 4, trainable=False)
  if is_training:
    update = average.assign_sub(0.1 * (average - tf.reduce_mean(x, 0)))
    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
  collect(x, average)
  return x - average


def _add(*entries, key="mine"):
  for entry in entries:
    v1.add_to_collection(key, entry)


def _build(collect, **options):
  return hie.make_feature_vector_module(
    lambda images, is_training: _net(images, is_training, collect),
    6,
    5,
    **options,
  )


def _penalty():
  return v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)[0]


_HARMLESS = {
  "endpoints": lambda x, v: _add(x, tf.nn.relu(x), key="net_end_points"),
  "pairs": lambda x, v: _add(("x", x), {"x": x, 1: x}),
  "variables": lambda x, v: _add(v, key="moving_vars"),
  "step": lambda x, v: v1.train.get_or_create_global_step(),
  "counted": lambda x, v: _add(
    v1.train.get_or_create_global_step().assign_add(1)
  ),
  "text": lambda x, v: _add("a", tf.constant("b"), lambda: 1, key="summaries"),
  "saver": lambda x, v: _add(v1.train.Saver(), key="savers"),
  "a_known_penalty": lambda x, v: _add(_penalty(), key="losses"),
  "a_known_update": lambda x, v: _add(
    *v1.get_collection(v1.GraphKeys.UPDATE_OPS), key="train_op"
  ),
}
_MISSED = {
  "loss": (lambda x, v: _add(tf.reduce_sum(x), key="losses"), "may be a loss"),
  "penalty": (lambda x, v: _add(0.1 * _penalty()), "may be a loss"),
  "update": (lambda x, v: _add(v.assign(2.0 * v)), "changes variables"),
  "group": (lambda x, v: _add(tf.group(v.assign_add(v))), "changes variables"),
}


@pytest.mark.parametrize("name", _HARMLESS)
def test_what_nobody_misses_is_left_out(name, tmp_path, caplog):
  specs = []
  messages = messages_of(caplog, lambda: specs.append(_build(_HARMLESS[name])))
  assert sum("left out" in message for message in messages) == 1
  summary = specs[0].export(tmp_path / "m")
  assert summary.differences
  consumer = Consumer(str(tmp_path / "m"), {"train"})
  assert len(consumer.updates) == 1


@pytest.mark.parametrize("name", _MISSED)
def test_what_consumers_would_miss_is_refused(name):
  collect, what = _MISSED[name]
  with pytest.raises(ValueError, match=f"{what}.*drop_collections="):
    _build(collect)


def test_all_that_is_missed_is_told_at_once():
  """Also what the training variant alone has."""

  def fn(images, is_training):
    if is_training:
      _add(tf.reduce_sum(images), key="losses")
    return _net(images, is_training, _MISSED["update"][0])

  with pytest.raises(ValueError, match=r"\('losses', 'mine'\)"):
    hie.make_feature_vector_module(fn, 6, 5)
  dropped = ("losses", "mine")
  hie.make_feature_vector_module(fn, 6, 5, drop_collections=dropped)


@pytest.mark.parametrize("only_in", [True, False])
def test_endpoints_of_one_variant(only_in, tmp_path, caplog):
  """As NASNet's and Inception's auxiliary logits are."""

  def fn(images, is_training):
    x = _net(images, is_training, lambda *_: None)
    endpoints = {"Net/x": 2.0 * x}
    if is_training == only_in:
      logits = tf.matmul(x, _variable("aux", 4, 2))
      endpoints["Net/AuxLogits"] = logits
    return x, endpoints

  def export():
    spec = hie.make_feature_vector_module(fn, 6, 5)
    spec.export(tmp_path / "m", check=True)

  messages = messages_of(caplog, export)
  assert sum("Net/AuxLogits" in message for message in messages) == 1
  for tags in (frozenset(), frozenset({"train"})):
    consumer = Consumer(str(tmp_path / "m"), tags)
    assert set(consumer.outputs["default"]) == {"default", "Net/x"}
    assert "aux" not in consumer.variables
    consumer.run(consumer.outputs["default"], _IMAGES)


@pytest.mark.parametrize(
  "outputs, words",
  [
    (
      lambda x, training: {
        "image_feature_vector": x[:, : 3 if training else 4]
      },
      "image_feature_vector': 4.*image_feature_vector': 3",
    ),
    (
      lambda x, training: {
        "image_feature_vector": x,
        **({"image_classification": 2.0 * x} if training else {}),
      },
      "for training .*image_classification",
    ),
  ],
)
def test_tasks_of_one_variant_are_refused(outputs, words):
  def fn(images, is_training):
    return outputs(_net(images, is_training, lambda *_: None), is_training)

  with pytest.raises(ValueError, match=words):
    hie.make_image_module(fn, 6, 5, default_task="image_feature_vector")


@pytest.mark.parametrize("fused", [False, True])
def test_averages_that_nothing_moves_are_refused(fused):
  """What `check_module` calls "no-update-ops"."""

  def fn(images, is_training):
    given = {"shape": [3], "trainable": False}
    mean = v1.get_variable("bn/moving_mean", **given)
    variance = v1.get_variable("bn/moving_variance", **given)
    scale = _variable("bn/gamma", 3)
    if fused:
      x = v1.nn.fused_batch_norm(
        images,
        scale,
        tf.zeros([3]),
        None if is_training else mean,
        None if is_training else variance,
        is_training=is_training,
      )[0]
    else:
      moments = tf.nn.moments(images, [0, 1, 2])
      here = moments if is_training else (mean, variance)
      x = tf.nn.batch_normalization(images, *here, None, scale, 1e-3)
    return tf.reduce_mean(x, [1, 2])

  with pytest.raises(ValueError, match="moving_mean.*UPDATE_OPS.*training=Fal"):
    hie.make_feature_vector_module(fn, 6, 5)
  hie.make_feature_vector_module(fn, 6, 5, training=False)
