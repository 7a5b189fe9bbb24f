# SPDX-License-Identifier: Apache-2.0
"""The scripts, where they are not on the PATH.

  python -m hub_image_export --model=MobileNetV2 --export_path=mobilenet/1
  python -m hub_image_export check_module mobilenet/1

The first argument is export_module, which can be left out, check_module or
run_module.
"""

from __future__ import annotations

import sys

from hub_image_export.command_line import (
  check_module,
  export_module,
  run_module,
)

_SCRIPTS = {
  "export_module": export_module.cli,
  "check_module": check_module.cli,
  "run_module": run_module.cli,
}


def cli() -> None:
  """Runs one of the scripts."""
  name = "export_module"
  if sys.argv[1:] and sys.argv[1] in _SCRIPTS:
    name = sys.argv.pop(1)
  sys.argv[0] = name  # Messages begin with it.
  _SCRIPTS[name]()


if __name__ == "__main__":
  cli()
