# SPDX-License-Identifier: Apache-2.0
"""Runs graphs, and their gradients, in whatever TensorFlow imports it.

As a program it is run by the Python 3.7 of TensorFlow 1.15 (no newer syntax):

  python3.7 tests/support/tf115_probe.py DIRECTORY

reads `NAME.pb` (a GraphDef), `NAME.npz` (values to feed by tensor name) and
`NAME.json` (a request) for each case in DIRECTORY, and writes
`NAME.result.npz`, or `NAME.error` with the reason. A request has "initialize"
(ops to run first), "fetch" (tensors), "update" (ops to run after the fetch),
"read" (tensors to read after that) and "differentiate" (tensors: gradients of
the sum of the cubes of what is fetched).
"""

import glob
import json
import sys

import numpy as np
import tensorflow

tf = tensorflow.compat.v1


def run(graph_def, feeds, request):
  """The results by name: "fetch0", "gradient0", "read0" and so on."""
  with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
    fetches = {
      f"fetch{i}": graph.get_tensor_by_name(name)
      for i, name in enumerate(request["fetch"])
    }
    sources = [graph.get_tensor_by_name(n) for n in request["differentiate"]]
    if sources:
      loss = tf.add_n([tf.reduce_sum(t * t * t) for t in fetches.values()])
      found = tf.gradients(loss, sources)
      for i, gradient in enumerate(found):
        if gradient is not None:
          fetches[f"gradient{i}"] = tf.convert_to_tensor(gradient)
    with tf.Session() as session:
      session.run(request["initialize"], feeds)
      results = session.run(fetches, feeds)
      session.run(request["update"], feeds)
      read = {f"read{i}": name for i, name in enumerate(request["read"])}
      results.update(session.run(read))
  return results


def main(argv):
  for path in sorted(glob.glob(argv[1] + "/*.pb")):
    case = path[: -len(".pb")]
    with open(path, "rb") as graph, open(case + ".json") as request:
      graph_def = tf.GraphDef.FromString(graph.read())
      arguments = dict(np.load(case + ".npz")), json.load(request)
    try:
      results = run(graph_def, *arguments)
    except Exception as error:  # Any: the caller shows it, by case.
      with open(case + ".error", "w") as output:
        output.write(f"{type(error).__name__}: {error}")
    else:
      np.savez(case + ".result.npz", **results)


if __name__ == "__main__":
  main(sys.argv)
