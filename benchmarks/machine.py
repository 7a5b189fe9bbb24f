# SPDX-License-Identifier: Apache-2.0
"""The machine and the versions that a run was made with.

python -m benchmarks.machine     # prints them as JSON
"""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform

from benchmarks import measure


def describe() -> dict[str, dict[str, object]]:
  from hub_image_export.tensorflow_api.compat import tf

  return {
    "machine": {
      "CPU": _field("/proc/cpuinfo", "model name"),
      "cores": os.cpu_count(),
      "RAM in GB": round(
        int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1e6
      ),
      "system": f"{platform.system()} {platform.machine()}",
    },
    "versions": {
      "Python": platform.python_version(),
      "TensorFlow": tf.__version__,
      "Keras": _keras(tf.keras.Model.__module__.split(".")[0]),
      "tensorflow_hub": importlib.metadata.version("tensorflow-hub"),
      "NumPy": importlib.metadata.version("numpy"),
    },
  }


def _keras(package: str) -> str:
  """The version of the package that `tf.keras` comes from."""
  version = importlib.metadata.version(package)
  return version if package == "keras" else f"{version} ({package})"


def _field(path: str, key: str) -> str:
  """The value of the first line `key : value` of a file of /proc."""
  for line in pathlib.Path(path).read_text("utf-8").splitlines():
    name, _, value = line.partition(":")
    if name.strip() == key:
      return value.strip()
  return "unknown"


if __name__ == "__main__":
  measure.tell(describe())
