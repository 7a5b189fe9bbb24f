# SPDX-License-Identifier: Apache-2.0
"""Uses reusable SavedModels in a process that did not make them.

Also run by the Python 3.7 of TensorFlow 1.15 (no newer syntax, and nothing of
the package):

  python3.7 tests/support/reusable_probe.py DIRECTORY

holds each `DIRECTORY/NAME/saved_model.pb` to the requirements T1 to T14,
fine-tunes it for a few steps, and writes `DIRECTORY/NAME.npz`, or what is
wrong to `DIRECTORY/NAME.error`.
"""

import glob
import json
import os
import sys
import traceback

import numpy as np
import tensorflow as tf

if tf.__version__.startswith("1."):
  tf.compat.v1.enable_v2_behavior()

STEPS, RATE = 3, 0.05
TASKS = ("image_classification", "image_feature_vector")


def images(seed, height, width, count=4):
  random = np.random.RandomState(seed)
  uniform = random.uniform(size=(count, height, width, 3))
  return tf.constant(uniform.astype(np.float32))


def objective(features):
  """As in `live`: each number counts differently."""
  weights = np.linspace(0.5, 1.5, features.shape[-1]).astype(np.float32)
  return tf.reduce_sum(features * weights)


def fine_tune(call, trainable, penalties, batches):
  """A few steps of plain gradient descent; returns the losses.

  Args:
    call: gives features of images, for training.
    trainable: variables.
    penalties: functions of no argument.
    batches: of images.
  """
  losses = []
  for batch in batches:
    with tf.GradientTape() as tape:
      tape.watch(list(trainable))
      loss = objective(call(batch))
      for penalty in penalties:
        loss += penalty()
    gradients = tape.gradient(loss, list(trainable))
    for variable, gradient in zip(trainable, gradients):
      if gradient is not None:
        gradient = tf.convert_to_tensor(gradient)
        variable.assign(variable - RATE * gradient)
    losses.append(loss.numpy())
  return losses


def values(variables):
  return {v.name.split(":")[0]: v.numpy() for v in variables}


def moved(variables, call):
  """Names of the variables that a call changes; they are put back."""
  before = [v.numpy() for v in variables]
  call()
  found = set()
  for variable, value in zip(variables, before):
    if not np.array_equal(variable.numpy(), value):
      found.add(variable.name.split(":")[0])
      variable.assign(value)
  return found


def check(obj, batch, wanted):
  """T1, T2 and T6 to T13; gives the names of what a step for training moves.

  Variables are afterwards as they were.
  """
  found = {}
  everything = list(obj.variables)
  moved(everything, lambda: found.update(names=_check(obj, batch, wanted)))
  return found["names"]


def _check(obj, batch, wanted):
  plain = obj(batch)
  assert callable(obj) and plain.dtype == tf.float32, plain  # T1
  width = plain.shape[1]
  assert width and list(plain.shape) == [len(batch), width]  # T4, T5
  for count in (1, 3):  # T2
    np.testing.assert_allclose(
      obj(batch[:count]), plain[:count], rtol=1e-3, atol=1e-5
    )
  np.testing.assert_array_equal(obj(batch, training=False), plain)  # T6
  inside = tf.function(lambda x: obj(x, training=False))(batch)
  np.testing.assert_allclose(inside, plain, rtol=1e-4, atol=1e-5)
  variables, trainable = list(obj.variables), list(obj.trainable_variables)
  assert {id(v) for v in trainable} <= {id(v) for v in variables}  # T9
  assert all(v.trainable for v in trainable)
  for penalty in obj.regularization_losses:  # T10
    assert penalty().shape == [] and penalty().dtype == tf.float32
  options = [{}]
  if wanted["endpoints"]:
    options.append({"return_endpoints": True})
  if wanted["momentum"]:  # T11
    options += [dict(o, batch_norm_momentum=0.9) for o in options]
    options.append({"batch_norm_momentum": tf.constant(0.5)})
  for training in (False, True):
    for option in options:  # T7
      outputs = obj(batch, training=training, **option)
      if not option.get("return_endpoints"):
        assert outputs.shape == plain.shape  # T13
        continue
      assert set(outputs) == {"default"} | set(wanted["endpoints"])
      if not training:
        np.testing.assert_allclose(
          outputs["default"], plain, rtol=1e-4, atol=1e-5
        )
  assert not moved(variables, lambda: obj(batch))
  changed = moved(variables, lambda: obj(batch, True))
  if wanted["momentum"]:
    still = moved(variables, lambda: obj(batch, True, batch_norm_momentum=1.0))
    assert not still, still
  with tf.GradientTape() as tape:
    total = tf.reduce_sum(obj(batch, training=True) ** 2)
    total += sum(penalty() for penalty in obj.regularization_losses)
  gradients = tape.gradient(total, trainable)
  alone = [v.name for v, g in zip(trainable, gradients) if g is None]
  assert not alone, alone
  return changed


def check_signatures(obj, batch, wanted):
  """T14: they infer, and `serving_default` gives what the plain call gives."""
  served = {name: f(images=batch) for name, f in obj.signatures.items()}
  tasks = wanted["tasks"]
  assert set(served) == {"serving_default", "default"} | set(tasks)
  assert list(served["serving_default"]) == ["default"]
  for name in (wanted["default_task"], "default", "serving_default"):
    np.testing.assert_allclose(
      served[name]["default"], obj(batch), rtol=1e-4, atol=1e-5
    )
  for task in tasks:
    assert set(served[task]) == {"default"} | set(wanted["endpoints"])


def use(path):
  with open(os.path.join(path, "assets.extra", "manifest.json")) as file:
    manifest = json.load(file)  # T3
  with open(path + ".json") as file:
    wanted = json.load(file)
  size = manifest["image_size"]
  obj = tf.compat.v2.saved_model.load(path)
  batch = images(0, *size)
  found = {"changed": np.array(sorted(check(obj, batch, wanted)), str)}
  check_signatures(obj, batch, wanted)
  every = list(obj.variables)
  if len(wanted["tasks"]) > 1:  # T12
    for task in wanted["tasks"]:
      alone = getattr(obj, task)
      check(alone, batch, wanted)
      found["inference|" + task] = alone(batch)
      ids = {id(v) for v in every}
      every += [v for v in alone.variables if id(v) not in ids]
  else:
    found["inference|" + wanted["tasks"][0]] = obj(batch)
  if wanted["endpoints"]:
    outputs = obj(batch, return_endpoints=True)
    found.update(("inference|" + k, v) for k, v in outputs.items())
  np.testing.assert_array_equal(obj.serve(batch), obj(batch))
  assert obj.train(batch).shape == obj(batch).shape
  found["names"] = np.array(sorted(values(every)), str)
  found["penalties"] = sum(
    (p().numpy() for p in obj.regularization_losses), 0.0
  )
  obj = tf.compat.v2.saved_model.load(
    path
  )  # With the values that it came with.
  found.update(("first|" + k, v) for k, v in values(obj.variables).items())
  found["losses"] = fine_tune(
    lambda x: obj(x, training=True),
    obj.trainable_variables,
    obj.regularization_losses,
    [images(i, *size) for i in range(STEPS)],
  )
  found.update(("last|" + k, v) for k, v in values(obj.variables).items())
  return found


def main(directory):
  for file in sorted(glob.glob(directory + "/*/saved_model.pb")):
    path = os.path.dirname(file)
    try:
      np.savez(path + ".npz", **use(path))
    except Exception:  # Any: the test shows it.
      with open(path + ".error", "w") as output:
        output.write(traceback.format_exc())


if __name__ == "__main__":
  main(sys.argv[1])
