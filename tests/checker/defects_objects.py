# SPDX-License-Identifier: Apache-2.0
"""Reusable SavedModels with one defect each; some that conform (T1 to T14)."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import tiny_objects
from tests.checker.corpus import DEFECTS, GOOD, WARNINGS
from tests.checker.tiny_objects import (
  Object,
  build,
  callable_object,
  features_object,
  images,
  logits_object,
  trace,
)


def _register(makers, cases):
  for name, options in cases.items():

    def make(path, options=options):
      build(path, **options)

    make.__name__ = f"object_{name}"
    makers.append(make)


def breaks(rule, **cases):
  _register(DEFECTS[rule], cases)


def warns(rule, **cases):
  _register(WARNINGS[rule], cases)


def good(**cases):
  _register(GOOD, cases)


def changed(change):
  """Options: what is done to the object before it is saved."""
  return dict(change=change)


def features(function, more=lambda net: [], **options):
  """Options: another `__call__`, of (net, images, training)."""

  def make(net):
    return callable_object(
      lambda images, training=False: function(net, images, training),
      [*net.of_features, *more(net)],
      **options,
    )

  return dict(make=make)


def scores(change):
  """Options: a classifier, known as such by its name."""

  def make(net):
    root = logits_object(net, change)
    root.image_classification = Object()
    for name in ("__call__", "variables", "trainable_variables"):
      setattr(root.image_classification, name, getattr(root, name))
    root.image_classification.regularization_losses = []
    return root

  return dict(make=make)


def _unserved(rule, name, make):
  """Registers an object without signatures, which would have to call it."""

  def save(path):
    tf.saved_model.save(make(tiny_objects.Network()), path)

  save.__name__ = f"object_{name}"
  DEFECTS[rule].append(save)


# T1: what can be called, and how.


def _not_callable(path, obj):
  served = tf.function(
    lambda images: {"default": tf.reduce_mean(images, [1, 2])},
    input_signature=[images()],
  )
  obj.serve = served
  tf.saved_model.save(obj, path, signatures={"serving_default": served})


def object_only_serves(path):
  """As Keras' model.export() writes it."""
  _not_callable(path, Object())


def object_called_call(path):
  obj = features_object(tiny_objects.Network())
  root = Object()
  root.call, root.net = obj.__call__, obj
  _not_callable(path, root)


DEFECTS["not-callable"] += [object_only_serves, object_called_call]


def _bare_function(obj, net):
  obj.image_feature_vector = obj.__call__


breaks("not-callable", bare_sub_object=changed(_bare_function))


def _options(function, ways, **options):
  """Options: a `__call__` with parameters of its own."""

  def make(net):
    return callable_object(function(net), net.of_features, ways=ways, **options)

  return dict(make=make)


def _trainable_for_training(net):
  def call(images, trainable=False):
    return net.features(images, trainable)

  return call


def _default_is_training(net):
  def call(images, training=True):
    return net.features(images, training)

  return call


def _two_required(net):
  def call(images, scale, training=False):
    return net.features(images * scale, training)

  return call


def _scaled(path):
  """A second argument that every caller would have to know."""
  net = tiny_objects.Network()
  obj = features_object(net)
  obj.__call__ = tf.function(_two_required(net), autograph=False)
  scale = tf.TensorSpec([], tf.float32, "scale")
  for training in (False, True):
    obj.__call__.get_concrete_function(images(), scale, training=training)
  served = tf.function(
    lambda images: {"default": obj.__call__(images, tf.constant(1.0))},
    input_signature=[images()],
  )
  tf.saved_model.save(obj, path, signatures={"serving_default": served})


_scaled.__name__ = "object_takes_a_scale"
DEFECTS["call-arguments"].append(_scaled)
breaks(
  "call-arguments",
  trainable_for_training=_options(
    _trainable_for_training, [{"trainable": False}, {"trainable": True}]
  ),
)


def _without_training(net):
  return lambda images: net.features(images, False)


warns("call-arguments", no_training=_options(_without_training, [{}]))
breaks(
  "traces-missing",
  never_trained=features(
    lambda net, x, training: net.features(x, training),
    ways=[{"training": False}],
  ),
)
_unserved(
  "call-arguments",
  "trains_by_default",
  _options(_default_is_training, [{"training": False}, {"training": True}])[
    "make"
  ],
)
_unserved(
  "traces-missing",
  "training_is_a_tensor",
  features(
    lambda net, x, training: tf.cond(
      training, lambda: net.features(x, True), lambda: net.features(x, False)
    ),
    ways=[{"training": tf.TensorSpec([], tf.bool)}],
  )["make"],
)


# T2 to T5, T13: images and results.
def _taking(change=lambda x: x, **options):
  return features(
    lambda net, x, training: net.features(change(x), training),
    spec=images(**options),
  )


_unserved(
  "images-dtype",
  "bytes_of_pixels",
  _taking(lambda x: tf.cast(x, tf.float32) / 255.0, dtype=tf.uint8)["make"],
)
_unserved(
  "images-batch-fixed",
  "batches_of_two",
  _taking(
    lambda x: tf.compat.v1.placeholder_with_default(x, [None, 8, 8, 3]),
    shape=[2, 8, 8, 3],
  )["make"],
)
_unserved(
  "images-channels",
  "grey_images",
  _taking(lambda x: tf.tile(x, [1, 1, 1, 3]), shape=[None, 8, 8, 1])["make"],
)
_unserved(
  "output-structure",
  "dict_from_a_plain_call",
  features(lambda net, x, training: {"default": net.features(x, training)})[
    "make"
  ],
)
breaks("output-rank", feature_map=features(lambda net, x, t: net.maps(x, t)))
breaks(
  "output-dtype",
  half_precision=features(
    lambda net, x, t: tf.cast(net.features(x, t), tf.float16)
  ),
)
breaks("probabilities", softmax=scores(tf.nn.softmax))
breaks(
  "probabilities", product_of_sigmoids=scores(lambda x: tf.sigmoid(x) ** 2)
)
breaks("probabilities", percent=scores(lambda x: 100.0 * tf.sigmoid(x)))
warns("probabilities", relu_scores=scores(tf.nn.relu))
warns(
  "probabilities",
  features_of_a_softmax=features(
    lambda net, x, t: tf.nn.softmax(net.features(x, t))
  ),
)


def _hardly_answers(net, x, training):
  """The weights expect 0 to 255, and no op shows it."""
  x = net.normalize(tf.nn.conv2d(x, net.kernel, 2, "SAME"), training)
  return 1000.0 + tf.reduce_mean(tf.nn.relu(x), [1, 2])


warns(
  "range-suspicious",
  divided_twice=_taking(lambda x: x / 255.0),
  mean_of_bytes=_taking(lambda x: x - tf.constant([123.7, 116.8, 103.9])),
  hardly_answers=features(_hardly_answers),
)


def _trains_other_weights(net, x, training):
  factor = net.bias if training else net.head
  return net.features(x, training) * tf.reduce_sum(factor)


def _mean_of_the_batch(net, x, training):
  x = net.features(x, training)
  return tf.reduce_mean(x, 0, keepdims=True) + 0.0 * x if training else x


def _one_dead_average(net, x, training):
  if not training:
    return net.features(x, False)
  net.variance.assign_sub(0.0 * net.variance)
  net.mean.assign_sub(0.01 * (net.mean - tf.reduce_mean(x)))
  return net.features(x, False)


breaks(
  "trainable-differ",
  trains_other_weights=features(
    _trains_other_weights, more=lambda net: [net.head, net.bias]
  ),
)
breaks("input-ignored", mean_of_the_batch=features(_mean_of_the_batch))
breaks("update-ops-dead", one_dead_average=features(_one_dead_average))
warns(
  "range-suspicious",
  scaled_otherwise_in_training=features(
    lambda net, x, t: net.features(0.5 * x + 0.5 if t else x, t)
  ),
)


def _on_a_gpu(net, x, training):
  with tf.device("/device:GPU:0"):
    return net.features(x, training)


warns("device-pinned", on_a_gpu=features(_on_a_gpu))


def _serving(result):
  """Options: the features served otherwise."""
  return dict(serve=lambda obj: lambda images: result(obj.__call__(images)))


warns(
  "default-differs",
  serves_a_softmax=_serving(tf.nn.softmax),
  serves_one_number=_serving(lambda x: {"best": tf.reduce_max(x, 1)}),
)


def _noisy(change):
  return features(
    lambda net, x, t: change(net.features(x, t)) if t else net.features(x, t)
  )


breaks(
  "dropout-on-output",
  dropout_on_features=_noisy(lambda x: tf.nn.dropout(x, 0.5)),
  noise_on_features=_noisy(lambda x: x + tf.random.normal(tf.shape(x))),
)
breaks(
  "not-deterministic",
  always_random=features(
    lambda net, x, t: net.features(x + tf.random.normal(tf.shape(x)), t)
  ),
)
breaks(
  "not-finite",
  standardized_without_epsilon=_taking(
    lambda x: x / tf.math.reduce_std(x, [1, 2, 3], True)
  ),
)
breaks(
  "batch-dependent",
  batch_maximum=features(
    lambda net, x, t: (
      net.features(x, t) / tf.reduce_max(net.features(x, t))
      if not t
      else net.features(x, t)
    )
  ),
)


# T6: what moves.
breaks(
  "updates-without-asking",
  always_updates=features(
    lambda net, x, t: net.features(x, True) * 0.0 + net.features(x, t)
  ),
)


def _without_updates(net, x, training):
  if not training:
    return net.features(x, False)
  x = tf.nn.conv2d(2.0 * x - 1.0, net.kernel, 2, "SAME")
  mean, variance = tf.nn.moments(x, [0, 1, 2])
  x = tf.nn.batch_normalization(x, mean, variance, net.beta, net.gamma, 1e-3)
  return tf.reduce_mean(tf.nn.relu(x), [1, 2])


def _reading_only(net, x, training):
  """The averages are read, and never assigned to."""
  unused = 0.0 * (tf.reduce_sum(net.mean) + tf.reduce_sum(net.variance))
  return _without_updates(net, x, training) + unused


breaks("no-update-ops", never_updates=features(_without_updates))
breaks(
  "update-ops-dead",
  updates_by_nothing=features(
    lambda net, x, t: tf.reduce_mean(net.maps(x, t, 1.0), [1, 2])
  ),
  averages_are_only_read=features(_reading_only),
)


def _decaying(net, x, training):
  if training:
    net.kernel.assign_sub(1e-4 * net.kernel)
  return net.features(x, training)


warns("updates-trainable", weight_decay=features(_decaying))


# T8 to T10: lists.
def _rename(old, new):
  def change(obj, net):
    setattr(obj, new, getattr(obj, old))
    delattr(obj, old)

  return changed(change)


def _set(**lists):
  """Each of `lists` gives the value of an attribute, of (object, network)."""

  def change(obj, net):
    for name, make in lists.items():
      setattr(obj, name, make(obj, net))

  return changed(change)


breaks(
  "variables-unlisted",
  trainable_variables_list=_rename(
    "trainable_variables", "trainable_variables_list"
  ),
  called_weights=_rename("variables", "weights"),
  called_losses=_rename("regularization_losses", "losses"),
  without_moving_averages=_set(
    variables=lambda obj, net: list(obj.trainable_variables)
  ),
  trainable_averages=_set(
    trainable_variables=lambda obj, net: list(obj.variables)
  ),
  trainable_beyond_all=_set(
    trainable_variables=lambda obj, net: [*obj.trainable_variables, net.head]
  ),
)
warns(
  "no-trainable-variables",
  nothing_trainable=_set(trainable_variables=lambda obj, net: []),
)


def _penalties(*functions):
  return _set(
    regularization_losses=lambda obj, net: [f(net) for f in functions]
  )


def _activity(net):
  return trace(
    lambda images: tf.reduce_sum(net.features(images, False) ** 2),
    images(),
    ways=[{}],
  )


def _penalty(function):
  return lambda net: tf.function(lambda: function(net), input_signature=[])


breaks(
  "penalty-ill-formed",
  activity_regularizer=_penalties(_activity),
  penalty_for_each_filter=_penalties(
    _penalty(lambda net: tf.reduce_sum(net.kernel**2, [0, 1, 2]))
  ),
  penalty_of_no_weights=_penalties(_penalty(lambda net: tf.constant(0.1))),
)
breaks(
  "not-finite",
  penalty_is_nan=_penalties(
    _penalty(lambda net: tf.nn.l2_loss(net.kernel) / 0.0)
  ),
)


# T9: gradients.
def _stopped(net, x, training):
  x = tf.nn.conv2d(2.0 * x - 1.0, net.kernel, 2, "SAME")
  x = tf.nn.relu(net.normalize(tf.stop_gradient(x), training))
  return tf.reduce_mean(x, [1, 2])


breaks(
  "not-differentiable",
  unused_variable=dict(
    make=lambda net: callable_object(
      lambda images, training=False: (
        net.features(images, training) + 0.0 * tf.stop_gradient(net.bias[0])
      ),
      [*net.of_features, net.bias],
    )
  ),
  stopped=features(_stopped),
  zero_gradients=features(
    lambda net, x, t: net.features(x, t) + 0.0 * tf.reduce_sum(net.bias),
    more=lambda net: [net.bias],
  ),
)


# T11: hyperparameters and flags.
def _with_momentum(default=0.99, use=lambda momentum: momentum):
  def make(net):
    def call(images, training=False, batch_norm_momentum=default):
      return net.features(images, training, use(batch_norm_momentum))

    momentum = tf.TensorSpec([], tf.float32, "batch_norm_momentum")
    ways = [
      {"training": training, "batch_norm_momentum": momentum}
      for training in (False, True)
    ]
    return callable_object(call, net.of_features, ways=ways)

  return dict(make=make)


breaks(
  "bn-hparams-dead",
  momentum_unused=_with_momentum(use=lambda momentum: 0.9),
  another_default=_with_momentum(default=0.9),
)


# Those that conform.
def _with_endpoints(net):
  def call(images, training=False, return_endpoints=False):
    maps = net.maps(images, training)
    features = tf.reduce_mean(maps, [1, 2])
    return (
      {"default": features, "Tiny/maps": maps} if return_endpoints else features
    )

  ways = [
    {"training": training, "return_endpoints": endpoints}
    for training in (False, True)
    for endpoints in (False, True)
  ]
  return callable_object(call, net.of_features, ways=ways)


def _two_tasks(net):
  root = features_object(net)
  root.image_feature_vector = features_object(net)
  root.image_classification = logits_object(net)
  return root


def _dropping(net, x, training):
  maps = net.maps(x, training)
  maps = tf.nn.dropout(maps, 0.2) if training else maps
  return tf.reduce_mean(maps, [1, 2])


def _frozen(net, x, training):
  return (
    _dropping(net, x, False)
    if not training
    else tf.reduce_mean(tf.nn.dropout(net.maps(x, False), 0.2), [1, 2])
  )


def _in_a_branch(net, x, training):
  """A bias that is used, and moves, for batches of a kind that nobody tries."""
  found = net.features(x, training)

  def moved():
    if training:
      net.mean.assign_add(tf.ones_like(net.mean))
    return found + net.bias[0]

  return tf.cond(tf.reduce_mean(x) > 2.0, moved, lambda: found)


def _every_fifth_step(net, x, training):
  """Inference computes with an average that moves at times."""
  if training:
    net.steps.assign_add(1)
    found = net.maps(x, False)
    moved = 0.9 * net.mean + 0.1 * tf.reduce_mean(found, [0, 1, 2])
    net.mean.assign(tf.where(net.steps % 5 == 0, moved, net.mean))
    return tf.reduce_mean(found, [1, 2])
  return net.features(x, False)


def _nested(net):
  inner = tf.function(net.features, autograph=False)
  return callable_object(
    lambda images, training=False: inner(images, training), net.of_features
  )


def _residual(net, x, training):
  """What comes before a weight of zero gets no gradient, until that moves."""
  found = net.features(x, training)
  branch = tf.matmul(found, net.head) * net.bias
  return found + tf.reduce_sum(branch, axis=1, keepdims=True)


good(
  features=dict(),
  serves_by_another_name=_serving(lambda x: {"output_0": x}),
  serves_more=_serving(lambda x: {"default": x, "best": tf.argmax(x, 1)}),
  scaled_by_a_constant=_taking(lambda x: (x - 0.45) / 0.225),
  classifier=scores(lambda x: x),
  two_tasks=dict(make=_two_tasks),
  any_size=dict(
    make=lambda net: features_object(net, spec=images(None)), size=None
  ),
  momentum=_with_momentum(),
  endpoints=dict(make=_with_endpoints),
  dropout_inside=features(_dropping),
  frozen_batch_norm=features(_frozen),
  calls_a_function=dict(make=_nested),
  every_fifth_step=features(_every_fifth_step, more=lambda net: [net.steps]),
  used_in_a_branch=features(_in_a_branch, more=lambda net: [net.bias]),
  begins_at_zero=dict(
    **features(_residual, more=lambda net: [net.head, net.bias]),
    **changed(lambda obj, net: net.bias.assign(tf.zeros_like(net.bias))),
  ),
  no_penalties=_set(regularization_losses=lambda obj, net: []),
  penalized_weights_left_out=_set(
    trainable_variables=lambda obj, net: obj.trainable_variables[1:]
  ),
  some_weights_left_out=_set(
    trainable_variables=lambda obj, net: obj.trainable_variables[:1]
  ),
)
