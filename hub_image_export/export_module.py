# SPDX-License-Identifier: Apache-2.0
"""The script `export_module`, by the name that commands and programs know."""

from hub_image_export.command_line.export_module import cli, main

__all__ = ["cli", "main"]

if __name__ == "__main__":
  cli()
