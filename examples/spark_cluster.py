# SPDX-License-Identifier: Apache-2.0
"""A Spark cluster on this machine: a master and two workers, as processes.

  python -m examples.spark_cluster digits_module digits_photos out.parquet

It starts them on the loopback, runs a module over a folder of photos there, as
`run_module --master=spark://…` does on a cluster of your own, and ends them.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time

import pyspark

from hub_image_export.spark import java

_HOST = "127.0.0.1"
_SECONDS = 120


class Cluster:
  """A context manager: what it starts, it ends.

  Attributes:
    address: of the master, for `--master`.
    environment: variables for whoever uses it from this machine.
    workers: the processes.
  """

  def __init__(self, workers=2):
    java.provide()
    self.environment = {
      **os.environ,
      "SPARK_HOME": os.path.dirname(pyspark.__file__),
      "SPARK_LOCAL_IP": _HOST,
      "PYSPARK_PYTHON": sys.executable,
      "TF_CPP_MIN_LOG_LEVEL": "3",
      "SPARK_DAEMON_MEMORY": "256m",
    }
    self._count = workers
    self._resources = contextlib.ExitStack()

  def __enter__(self):
    with contextlib.ExitStack() as stack:
      self._folder = stack.enter_context(tempfile.TemporaryDirectory())
      port = _free_port()
      self.address = f"spark://{_HOST}:{port}"
      master = self._start(stack, "master.Master", f"--port={port}")
      _wait_for(port, master)
      self.workers = [
        self._start(
          stack,
          "worker.Worker",
          "--cores=1",
          "--memory=1g",
          f"--work-dir={self._folder}",
          self.address,
        )
        for _ in range(self._count)
      ]
      self._resources = stack.pop_all()
    return self

  def __exit__(self, *unused_exception):
    self._resources.close()

  def _start(self, stack, name, *arguments):
    """Starts one of Spark's daemons."""
    command = os.path.join(self.environment["SPARK_HOME"], "bin", "spark-class")
    flags = [part for text in arguments for part in text.split("=", 1)]
    process = subprocess.Popen(
      [
        *(command, f"org.apache.spark.deploy.{name}"),
        *("--host", _HOST, "--webui-port", "0"),
        *flags,
      ],
      env=self.environment,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _free_port():
  with socket.socket() as probe:
    probe.bind((_HOST, 0))
    return probe.getsockname()[1]


def _wait_for(port, process):
  end = time.monotonic() + _SECONDS
  while time.monotonic() < end and process.poll() is None:
    with contextlib.suppress(OSError):
      socket.create_connection((_HOST, port), 1).close()
      return
    time.sleep(0.2)
  raise RuntimeError(f"Spark's master does not answer on port {port}.")


def command(cluster, module, photos, output, *flags):
  """`run_module` on the cluster, as a command."""
  return [
    sys.executable,
    *("-m", "hub_image_export.command_line.run_module"),
    f"--master={cluster.address}",
    "--spark_conf=spark.executor.memory=512m",
    f"--output={output}",
    *flags,
    *map(str, (module, photos)),
  ]


def main(argv):
  if len(argv) != 4:
    return "Expected a module, a folder of photos and an output, all three."
  with Cluster() as cluster:
    print(f"The master is {cluster.address}, with two workers.", flush=True)
    arguments = command(cluster, *argv[1:])
    return subprocess.run(arguments, env=cluster.environment).returncode


if __name__ == "__main__":
  sys.exit(main(sys.argv))
