"""Defects in variants and signatures (F2, F3, C1 to C10)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import hub, tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, warns

v1 = tf.compat.v1


def features_only(net):
  for name in ("default", "image_feature_vector"):
    hub.add_signature(name, {"images": net.images}, {"default": net.features})


@breaks("no-inference-variant")
def training_only(path):
  tiny.build(path, variants=[{"train"}])


@breaks("unknown-variant")
def batch_size_tag(path):
  tiny.build(path, variants=[set(), {"train"}, {"train", "bs64"}])


@breaks("unknown-variant")
def twice(path):
  with edit.saved_model(path) as proto:
    proto.meta_graphs.add().CopyFrom(proto.meta_graphs[0])


@breaks("variables-differ")
def more_in_inference(path):
  def finish(net):
    if not net.training:
      tiny.variable("more", [2])

  tiny.build(path, finish=finish)


@breaks("width-differs")
def wider_in_training(path):
  def change(features, training):
    return tf.concat([features, features], 1) if training else features

  def logits(features):
    return tiny.head(features[:, : tiny.FILTERS])

  tiny.build(path, change_features=change, make_logits=logits)


@breaks("signatures-differ")
def one_task_in_training(path):
  def signatures(net):
    tiny.add_signatures(net) if not net.training else features_only(net)

  tiny.build(path, signatures=signatures)


@breaks("signatures-differ")
def endpoint_in_inference(path):
  def signatures(net):
    images = {"images": net.images}
    outputs = {"default": net.features}
    if not net.training:
      outputs["Tiny/logits"] = net.logits
    hub.add_signature("default", images, outputs)
    hub.add_signature("image_feature_vector", images, outputs)

  tiny.build(path, signatures=signatures)


@breaks("train-variant-pointless")
def same_graph(path):
  def make_body(x, training, momentum):
    return tiny.body(x, False, momentum)

  tiny.build(path, make_body=make_body)


@breaks("no-default-signature")
def named_only(path):
  def signatures(net):
    hub.add_signature(
      "image_feature_vector", {"images": net.images}, {"default": net.features}
    )

  tiny.build(path, signatures=signatures)


def task_named(path, name):
  def signatures(net):
    for signature in ("default", name):
      hub.add_signature(
        signature, {"images": net.images}, {"default": net.features}
      )

  tiny.build(path, signatures=signatures)


@breaks("no-task-signature")
def published_misspelling(path):
  """As a published module spells it."""
  task_named(path, "image_feature-vector")


@breaks("no-task-signature")
def published_representation(path):
  """As published modules for visual tasks name it."""
  task_named(path, "representation")


@warns("no-task-signature")
def second_task_misspelt(path):
  def signatures(net):
    features_only(net)
    hub.add_signature(
      "image_clasification", {"images": net.images}, {"default": net.logits}
    )

  tiny.build(path, signatures=signatures)


def default_of(path, change):
  def signatures(net):
    images = {"images": net.images}
    hub.add_signature("default", images, {"default": change(net)})
    hub.add_signature("image_feature_vector", images, {"default": net.features})

  tiny.build(path, signatures=signatures)


@breaks("default-differs")
def default_has_another_width(path):
  default_of(path, lambda net: net.logits)


@breaks("default-differs")
def default_has_other_values(path):
  default_of(path, lambda net: net.features * 2.0)


@breaks("default-differs")
def default_lacks_endpoints(path):
  def signatures(net):
    images = {"images": net.images}
    hub.add_signature("default", images, {"default": net.features})
    hub.add_signature(
      "image_feature_vector",
      images,
      {"default": net.features, "Tiny/logits": net.logits},
    )

  tiny.build(path, signatures=signatures)


@breaks("extra-input")
def default_takes_a_factor(path):
  def signatures(net):
    factor = v1.placeholder_with_default(1.0, [])
    images = {"images": net.images}
    features = {"default": net.features * factor}
    hub.add_signature("default", {**images, "factor": factor}, features)
    hub.add_signature("image_feature_vector", images, features)

  tiny.build(path, signatures=signatures)
