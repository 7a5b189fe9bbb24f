# SPDX-License-Identifier: Apache-2.0
"""Uses modules in a process that did not make them.

A test hands over what to do and for which modules; one process does all:

  results = fresh_process.run("gradients", {"name": job, ...}, directory)

Each job is a dict with the `path` of a module and what the task needs; each
result is a dict of arrays. Nothing of the package but `compat` is imported
here: without it, TensorFlow 2.16 and later have no `hub.Module`.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np

_ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(task, jobs, directory):
  """Runs `task` for each job in one fresh process.

  Returns:
    From the name of the job to its dict of arrays. A job that failed has
    its error under "error".
  """
  jobs_file = os.path.join(directory, "jobs.json")
  results_file = os.path.join(directory, "results.npz")
  with open(jobs_file, "w") as file:
    json.dump(jobs, file)
  process = subprocess.run(
    [
      sys.executable,
      "-m",
      "tests.support.fresh_process",
      task,
      jobs_file,
      results_file,
    ],
    cwd=_ROOT,
    capture_output=True,
    text=True,
    timeout=300,
  )
  assert process.returncode == 0, process.stderr[-4000:]
  results = {name: {} for name in jobs}
  with np.load(results_file) as arrays:
    for key in arrays:
      name, _, rest = key.partition("|")
      results[name][rest] = arrays[key]
  return results


def run_program(python, program, directory, path=""):
  """Runs `tests/support/PROGRAM DIRECTORY` by any interpreter.

  Args:
    python: the interpreter, such as that of TensorFlow 1.15.
    program: a file, as seen from this folder.
    directory: what it works in, and leaves results in.
    path: what the interpreter imports from beside its own packages.

  Returns:
    The directory.
  """
  done = subprocess.run(
    [python, str(_ROOT / "tests/support" / program), str(directory)],
    cwd=_ROOT,
    env={**os.environ, "PYTHONPATH": str(path)},
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == 0, done.stderr[-2000:]
  return directory


def _outputs(job):
  """Every output of the inference variant, by `signature|key`."""
  from tests.support.consumer import Consumer, random_images

  consumer = Consumer(job["path"])
  images = random_images(2, *job["size"])
  outputs = consumer.run(consumer.outputs, images)
  return {f"{s}|{k}": v for s, o in outputs.items() for k, v in o.items()}


def _gradients(job):
  """Gradients for each trainable variable, by `tags|variable`."""
  from hub_image_export.tensorflow_api.compat import tf
  from tests.support.consumer import Consumer, random_images
  from tests.support.live import objective

  found = {}
  for tags in job["variants"]:
    consumer = Consumer(job["path"], frozenset(tags), trainable=True)
    tasks = {t: consumer.outputs[t]["default"] for t in job["tasks"]}
    with consumer.graph.as_default():
      names = {v.name for v in tf.compat.v1.trainable_variables()}
      variables = {
        k: v for k, v in consumer.variables.items() if v.name in names
      }
      gradients = tf.compat.v1.gradients(
        objective(tasks), list(variables.values())
      )
    fetches = {
      name: gradient
      for name, gradient in zip(variables, gradients)
      if gradient is not None
    }
    images = random_images(4, *job["size"])
    label = ",".join(tags)
    # Gradients of loops change the loops: a session must not know them yet.
    consumer.start_session()
    for name, value in consumer.run(fetches, images).items():
      found[f"{label}|{name}"] = np.asarray(value)
    found[f"{label}#trainable"] = np.array(sorted(variables), dtype=str)
  return found


def _hub_load(job):
  """What consumers with TensorFlow 2 do: `hub.load`, inference only."""
  from hub_image_export.tensorflow_api.compat import hub, tf
  from tests.support.consumer import random_images

  images = tf.constant(random_images(2, *job["size"]))
  loaded = hub.load(job["path"])
  return {
    f"{name}|{key}": value.numpy()
    for name in job["signatures"]
    for key, value in loaded.signatures[name](images=images).items()
  }


def _keras_layer(job):
  """`hub.KerasLayer` of a module in TF1 Hub format, called eagerly."""
  from hub_image_export.tensorflow_api.compat import hub, tf
  from tests.support.consumer import random_images

  layer = hub.KerasLayer(job["path"], output_key="default")
  return {"output": layer(tf.constant(random_images(2, *job["size"]))).numpy()}


_TASKS = {
  "outputs": _outputs,
  "gradients": _gradients,
  "hub_load": _hub_load,
  "keras_layer": _keras_layer,
}


def _main(task, jobs_file, results_file):
  with open(jobs_file) as file:
    jobs = json.load(file)
  arrays = {}
  for name, job in jobs.items():
    try:
      found = _TASKS[task](job)
    except Exception as error:  # Told by the test that asked for it.
      found = {"error": np.array(f"{type(error).__name__}: {error}"[:2000])}
    arrays.update({f"{name}|{key}": value for key, value in found.items()})
  np.savez(results_file, **arrays)


if __name__ == "__main__":
  _main(*sys.argv[1:])
