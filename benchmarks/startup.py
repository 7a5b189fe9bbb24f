# SPDX-License-Identifier: Apache-2.0
"""What importing the package and asking for help take.

python -m benchmarks.startup --repeats=7      # prints one line of JSON
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from benchmarks import measure, processes

# tensorflow_hub 0.15 needs a stand-in to be imported where TensorFlow has no
# estimators any more: its import is measured as the package does it.
_ESTIMATOR = """
import sys, types
try:
  import tensorflow.compat.v1.estimator
except ImportError:
  module = types.ModuleType("tensorflow.compat.v1.estimator")
  module.Exporter = type("Exporter", (), {})
  tensorflow.compat.v1.estimator = module
  sys.modules[module.__name__] = module
"""
BASELINE = "tensorflow and tensorflow_hub"
EVERYTHING = "hub_image_export, and every public name of it"
HELP = "export_module --help"
IMPORTS = {
  BASELINE: f"import tensorflow\n{_ESTIMATOR}\nimport tensorflow_hub",
  "hub_image_export": "import hub_image_export",
  EVERYTHING: (
    "import hub_image_export as hie\n"
    "for name in hie.__all__: getattr(hie, name)"
  ),
}
_TIMED = """
import time
start = time.perf_counter()
{statements}
print(time.perf_counter() - start)
"""


def run(repeats: int) -> list[dict[str, Any]]:
  """Seconds of each import, in its process, and of the whole of `--help`."""
  rows = []
  for number in range(repeats):
    for what, statements in IMPORTS.items():
      output = processes.run_python("-c", _TIMED.format(statements=statements))
      seconds = float(output.splitlines()[-1])
      rows.append({"what": what, "round": number, "seconds": seconds})
    start = time.perf_counter()
    processes.run_python("-m", "hub_image_export.export_module", "--help")
    seconds = time.perf_counter() - start
    rows.append({"what": HELP, "round": number, "seconds": seconds})
  return rows


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--repeats", type=int, default=7)
  measure.tell({"startup": run(parser.parse_args().repeats)})


if __name__ == "__main__":
  main()
