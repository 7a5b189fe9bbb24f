# SPDX-License-Identifier: Apache-2.0
"""Images per second of a module and of its source, in one process.

  python -m benchmarks.throughput_once --model=MobileNetV2 \\
      --ours=PATH --by_hand=PATH --rounds=5

"source" is `tf.function(model)`. The modules run in sessions, "ours_tf2" by
`hub.load`. All take turns, so that a slow minute of the machine is everyone's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import measure, models
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet

_BLOCK_SECONDS = 0.5
_WARM_UP = 3


def run(model_name: str, ours: str, by_hand: str, rounds: int) -> dict:
  case = models.CASES[model_name]
  images = case.images()
  with quiet():
    users = {
      "source": _source(case, images),
      "ours": _session(ours, images),
      "ours_tf2": _loaded(ours, images),
      "by_hand": _session(by_hand, images),
    }
  outputs = {}
  for name, user in users.items():
    for _ in range(_WARM_UP):
      outputs[name] = np.asarray(user())
  return {
    "model": model_name,
    "batch": case.batch,
    "largest_difference": _largest_difference(outputs),
    "images_per_second": _take_turns(users, case.batch, rounds),
  }


def _source(case: models.Case, images: np.ndarray) -> Callable[[], Any]:
  model = case.build()
  function = tf.function(lambda x: model(x, training=False))
  return lambda: function(tf.constant(images)).numpy()


def _session(path: str, images: np.ndarray) -> Callable[[], Any]:
  with tf.Graph().as_default() as graph:
    shape = [None, *images.shape[1:]]
    placeholder = tf.compat.v1.placeholder(tf.float32, shape)
    features = hub.Module(path)(placeholder)
    session = tf.compat.v1.Session(graph=graph)
    session.run(tf.compat.v1.global_variables_initializer())
  return lambda: session.run(features, {placeholder: images})


def _loaded(path: str, images: np.ndarray) -> Callable[[], Any]:
  # A signature lives only as long as the object that it is of.
  loaded = hub.load(path)

  def call():
    signature = loaded.signatures["default"]
    return signature(images=tf.constant(images))["default"].numpy()

  return call


def _largest_difference(outputs: dict[str, np.ndarray]) -> float:
  """From the source's output, as a share of its scale."""
  source = outputs["source"]
  scale = np.max(np.abs(source))
  return float(
    max(np.max(np.abs(value - source)) / scale for value in outputs.values())
  )


def _take_turns(
  users: dict[str, Callable[[], Any]], batch: int, rounds: int
) -> dict[str, list[float]]:
  """Images per second of each user in each round; who starts rotates."""
  rates: dict[str, list[float]] = {name: [] for name in users}
  names = list(users)
  for number in range(rounds):
    first = number % len(names)
    for name in names[first:] + names[:first]:
      rates[name].append(batch * _calls_per_second(users[name]))
  return rates


def _calls_per_second(call: Callable[[], Any]) -> float:
  start = time.perf_counter()
  calls, elapsed = 0, 0.0
  while elapsed < _BLOCK_SECONDS:
    call()
    calls += 1
    elapsed = time.perf_counter() - start
  return calls / elapsed


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--model", choices=models.CASES, required=True)
  parser.add_argument("--ours", required=True)
  parser.add_argument("--by_hand", required=True)
  parser.add_argument("--rounds", type=int, default=5)
  flags = parser.parse_args()
  measure.tell(run(flags.model, flags.ours, flags.by_hand, flags.rounds))


if __name__ == "__main__":
  main()
