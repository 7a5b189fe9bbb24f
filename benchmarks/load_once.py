# SPDX-License-Identifier: Apache-2.0
"""Loads a module as a consumer does, and tells what that took.

  python -m benchmarks.load_once --path=PATH

Seconds and memory of `hub.Module` and of the initialization of its variables,
in a process that has imported everything.
"""

from __future__ import annotations

import argparse

from benchmarks import measure
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet


def run(path: str) -> dict:
  memory = measure.Memory()
  phases = measure.Phases()
  with quiet(), tf.Graph().as_default(), tf.compat.v1.Session() as session:
    with phases("hub.Module"):
      hub.Module(path)
    with phases("initialize"):
      session.run(tf.compat.v1.global_variables_initializer())
    return {"seconds": phases.finish(), "peak_bytes": memory.peak()}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--path", required=True)
  measure.tell(run(parser.parse_args().path))


if __name__ == "__main__":
  main()
