# SPDX-License-Identifier: Apache-2.0
"""Saved models that were changed at random: nothing runs, whatever they say.

  python -m tests.untrusted.mutants --count=5000

Each number is one file: a Keras model or a SavedModel with some changes, which
the package's own loader is given. It loads or refuses it; nothing outside of a
temporary folder may change, no process may start, and it takes at most 1 GB
and 20 seconds. What crashes TensorFlow itself is counted.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from typing import Any

MAX_SECONDS = 20.0
MAX_BYTES = 2**30
# TensorFlow is imported, and the models are loaded as they are, first.
_START_SECONDS = 600.0
_EVIL = [
  ("os", "system"), ("builtins", "eval"), ("subprocess", "Popen"),
  ("keras", "layers.Lambda"), ("keras", "layers.TFSMLayer"),
  ("keras.layers", "TFSMLayer"), ("keras.utils", "get_file"),
  ("keras.src.utils.file_utils", "get_file"), ("shutil", "rmtree"),
  ("keras.models", "load_model"), ("tensorflow.io", "write_file"),
  ("tensorflow.python.ops.io_ops", "write_file"), (None, "Lambda"),
  (None, "TFOpLambda"), (None, "SlicingOpLambda"), (None, "ClassMethod"),
  (None, "InstanceMethod"), (None, "InstanceProperty"), ("keras", "Sequential"),
  ("keras.layers", "Dense"), ("keras.ops", "add"), ("keras.losses", "get"),
]  # fmt: skip
_SYMBOLS = [
  "io.write_file", "io.gfile.copy", "load_op_library", "keras.utils.get_file",
  "math.add", "nn.relu", "raw_ops.WriteFile", "zeros", "saved_model.load",
  "py_function", "compat.v1.gfile.DeleteRecursively", "io.gfile.rmtree",
]  # fmt: skip
_OPS = [
  "WriteFile", "SaveV2", "RestoreV2", "MergeV2Checkpoints", "PyFunc",
  "EagerPyFunc", "ReadFile", "MatchingFiles", "Identity", "NoOp", "Const",
  "InitializeTableFromTextFileV2", "StatefulPartitionedCall", "If", "While",
  "ShardedFilename", "PrintV2", "Placeholder", "DebugIdentityV2", "SaveSlices",
]  # fmt: skip


# --- Keras.


def _keras_models(folder: str) -> list[str]:
  from hub_image_export.tensorflow_api.compat import tf

  layers = tf.keras.layers
  images = tf.keras.Input([8, 8, 3])
  x = layers.Rescaling(2.0, -1.0)(images) * 2.0 + 1.0
  x = layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2")(x)
  x = layers.BatchNormalization()(x)[:, 1:]
  x = layers.GlobalAveragePooling2D()(x)
  functional = tf.keras.Model(images, layers.Dense(2)(x))
  sequential = tf.keras.Sequential(
    [
      tf.keras.Input([8, 8, 3]),
      layers.TimeDistributed(layers.Dense(2, activation="swish")),
      layers.Flatten(),
      layers.Dropout(0.1),
      layers.Dense(2, kernel_constraint="non_neg"),
    ]
  )
  paths = []
  for name, model in (("functional", functional), ("sequential", sequential)):
    for suffix in (".keras", ".h5"):
      paths.append(os.path.join(folder, name + suffix))
      model.save(paths[-1])
  return paths


def _items(value: Any) -> list[tuple[Any, Any]]:
  """All places in a JSON value: containers and keys."""
  found, pending = [], [value]
  while pending:
    item = pending.pop()
    keys = item if isinstance(item, dict) else range(len(item))
    for key in keys:
      found.append((item, key))
      if isinstance(item[key], (dict, list)):
        pending.append(item[key])
  return found


def _change_config(config: Any, source: random.Random, outside: str) -> None:
  places = _items(config)
  classes = [(i, k) for i, k in places if k == "class_name"]
  item, key = source.choice(classes if source.random() < 0.5 else places)
  kind = source.randrange(9)
  module, name = source.choice(_EVIL)
  if kind == 0 and isinstance(item, dict):
    item.update({"module": module, "class_name": name})
  elif kind == 1 and isinstance(item, dict):
    function = source.choice(_SYMBOLS)
    item.update(
      {
        "class_name": source.choice(["TFOpLambda", "SlicingOpLambda"]),
        "module": source.choice([None, "keras.src.layers.core.tf_op_layer"]),
        "config": {"name": "x", "function": function, "cls_symbol": function},
        "name": "x",
        "inbound_nodes": [[["_CONSTANT_VALUE", -1, outside, {"y": outside}]]],
      }
    )
  elif kind == 2:
    item[key] = {
      "module": module, "class_name": "function", "config": name,
      "registered_name": source.choice([None, name]),
    }  # fmt: skip
  elif kind == 3:
    item[key] = source.choice(
      [None, [], {}, -1, 0, 2**16, 2**31, 1e300, "", outside, True, [[[]]]]
    )
  elif kind == 4:
    other, inner = source.choice(places)
    with contextlib.suppress(RecursionError):
      item[key] = json.loads(json.dumps(other[inner]))
  elif kind == 5 and isinstance(item, dict):
    del item[key]
  elif kind == 6:
    for _ in range(source.choice([3, 60, 300])):
      item[key] = [item[key]]
  elif kind == 7 and isinstance(item, dict):
    where = os.path.join(outside, "victim")
    item[source.choice(["vocabulary", "filepath", "function"])] = where
  elif isinstance(item[key], str):
    item[key] = source.choice([name, *_SYMBOLS])


def _mutate_keras(
  path: str, target: str, source: random.Random, outside: str
) -> None:
  shutil.copy(path, target)
  if source.random() < 0.15:
    _damage(target, source)
  elif target.endswith(".keras"):
    with zipfile.ZipFile(path) as archive:
      content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    for _ in range(source.randint(1, 3)):
      _change_config(config, source, outside)
    content["config.json"] = _dumped(config)
    if source.random() < 0.1:
      name = source.choice(["model.weights.npz", "../evil", "assets/../../e"])
      content[name] = content["config.json"]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
      for name, data in content.items():
        archive.writestr(name, data)
  else:
    import h5py

    with h5py.File(target, "r+") as file:
      config = json.loads(file.attrs["model_config"])
      for _ in range(source.randint(1, 3)):
        _change_config(config, source, outside)
      file.attrs["model_config"] = _dumped(config)


def _dumped(config: Any) -> bytes:
  try:
    return json.dumps(config).encode()  # Python's own limit is 1000 levels.
  except RecursionError:
    return b"[" * 5000 + b"]" * 5000


def _damage(path: str, source: random.Random) -> None:
  content = bytearray(pathlib.Path(path).read_bytes())
  for _ in range(source.randint(1, 20)):
    content[source.randrange(len(content))] ^= 1 << source.randrange(8)
  if source.random() < 0.3:
    del content[source.randrange(len(content)) :]
  pathlib.Path(path).write_bytes(bytes(content))


# --- SavedModels.


def _saved_models(folder: str) -> list[str]:
  from hub_image_export.tensorflow_api.compat import tf
  from tests.untrusted import saved_cases

  paths = []
  for build in (saved_cases.v2, saved_cases.v1_plain, saved_cases.with_table):
    paths.append(os.path.join(folder, build.__name__))
    build(paths[-1])
  assert all(map(tf.saved_model.contains_saved_model, paths))
  return paths


def _change_graph(meta: Any, source: random.Random, outside: str) -> None:
  functions = list(meta.graph_def.library.function)
  bodies = [meta.graph_def.node, *(f.node_def for f in functions)]
  nodes = source.choice([body for body in bodies if body])
  node, other = source.choice(nodes), source.choice(nodes)
  victim = os.path.join(outside, "victim").encode()
  kind = source.randrange(10)
  if kind == 0:
    node.op = source.choice(_OPS)
  elif kind == 1:
    node.input.append("^" + other.name)
  elif kind == 2 and node.input:
    node.input[source.randrange(len(node.input))] = other.name
  elif kind == 3:
    for place in nodes:
      for value in place.attr["value"].tensor.string_val:
        place.attr["value"].tensor.string_val[0] = victim or value
  elif kind == 4:
    saver = meta.saver_def
    key = source.choice(
      ["restore_op_name", "save_tensor_name", "filename_tensor_name"]
    )
    setattr(saver, key, source.choice(meta.graph_def.node).name + ":0")
  elif kind == 5:
    name = source.choice(
      ["saved_model_main_op", "legacy_init_op", "table_initializer"]
    )
    del meta.collection_def[name].node_list.value[:]
    meta.collection_def[name].node_list.value.append(
      source.choice(meta.graph_def.node).name
    )
  elif kind == 6 and functions:
    node.attr["f"].func.name = source.choice(functions).signature.name
  elif kind == 7:
    asset = meta.asset_file_def.add(filename=f"../../{victim.decode()}")
    asset.tensor_info.name = source.choice(meta.graph_def.node).name + ":0"
  elif kind == 8:
    for value in node.attr.values():
      for dim in (*value.shape.dim, *value.tensor.tensor_shape.dim):
        dim.size = source.choice([-1, 0, 1, 2**20, 2**40])
  else:
    new = meta.graph_def.node.add(name="evil", op="WriteFile")
    new.input.extend([other.name, other.name])
    node.input.append("^evil")


def _mutate_saved(
  path: str, target: str, source: random.Random, outside: str
) -> None:
  from hub_image_export.tensorflow_api.protos import SavedModel

  shutil.copytree(path, target)
  file = os.path.join(target, "saved_model.pb")
  if source.random() < 0.15:
    files = [p for p in pathlib.Path(target).rglob("*") if p.is_file()]
    _damage(str(source.choice(sorted(files))), source)
    return
  proto = SavedModel.FromString(pathlib.Path(file).read_bytes())
  for _ in range(source.randint(1, 4)):
    _change_graph(proto.meta_graphs[0], source, outside)
  pathlib.Path(file).write_bytes(proto.SerializeToString())


# --- Running them.


def _load(path: str) -> str:
  """What became of it; anything but an error of ours is a traceback."""
  import hub_image_export as hie
  from hub_image_export import sources
  from hub_image_export.sources import keras_files

  try:
    if os.path.isdir(path):
      sources.as_source(path, 8, 8)
    else:
      keras_files.load(path)
  except (hie.ImageExportError, ValueError) as error:
    text = str(error)
    words = ("not even loaded", "could run code", "not its own")
    return "refused" if any(map(text.__contains__, words)) else "unreadable"
  return "loaded"


def _memory(key: str) -> int:
  for line in pathlib.Path("/proc/self/status").read_text().splitlines():
    if line.startswith(key):
      return int(line.split()[1]) * 1024
  return 0


def _work(first: int, end: int, folder: str) -> None:
  from tests.untrusted import watched

  models = os.path.join(folder, "models")
  originals = {
    _mutate_keras: sorted(str(p) for p in pathlib.Path(models).glob("*al.*")),
    _mutate_saved: sorted(
      str(p) for p in pathlib.Path(models).iterdir() if p.is_dir()
    ),
  }
  outside = os.path.join(folder, "outside")
  inside = tempfile.mkdtemp(dir=os.path.join(folder, "inside"))
  tempfile.tempdir = inside
  for original in (*originals[_mutate_keras], *originals[_mutate_saved]):
    _load(original)  # What libraries do once is not watched.
  for number in range(first, end):
    source = random.Random(number)
    mutate = [_mutate_keras, _mutate_saved][number % 2]
    original = source.choice(originals[mutate])
    target = os.path.join(inside, os.path.basename(original))
    mutate(original, target, source, outside)
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before, start = _memory("VmRSS"), time.time()
    print(json.dumps({"begin": number}), flush=True)
    with watched.nothing_happens(inside, outside) as happened:
      try:
        outcome = _load(target)
      except Exception as error:
        outcome = f"traceback {type(error).__name__}: {error!s:.100}"
    result = {
      "number": number,
      "outcome": outcome,
      "seconds": time.time() - start,
      "bytes": _memory("VmHWM") - before,
      "happened": happened,
    }
    print(json.dumps(result), flush=True)
    (shutil.rmtree if os.path.isdir(target) else os.remove)(target)


def run(first: int, count: int, folder: str) -> dict[str, Any]:
  """Loads mutants in processes of their own; the figures of all together."""
  for name in ("models", "outside", "inside"):
    os.makedirs(os.path.join(folder, name))
  pathlib.Path(folder, "outside", "victim").write_text("precious")
  _build(os.path.join(folder, "models"))
  results: list[dict[str, Any]] = []
  crashes = []
  at = first
  while at < first + count:
    end = min(at + 1000, first + count)
    begun = _run_one(at, end, folder, results)
    if begun is not None:
      crashes.append(begun)
    at = end if begun is None else begun + 1
  bad = [
    r
    for r in results
    if r["happened"]
    or r["bytes"] > MAX_BYTES
    or r["seconds"] > MAX_SECONDS
    or r["outcome"].startswith("traceback")
  ]
  return {
    "count": len(results) + len(crashes),
    "outcomes": dict(
      collections.Counter(r["outcome"].split()[0] for r in results)
    ),
    "crashes of TensorFlow": crashes,
    "most seconds": max(r["seconds"] for r in results),
    "most bytes": max(r["bytes"] for r in results),
    "bad": bad,
  }


def _build(folder: str) -> None:
  code = (
    "import sys; from tests.untrusted import mutants as m;"
    "m._keras_models(sys.argv[1]); m._saved_models(sys.argv[1])"
  )
  subprocess.run([sys.executable, "-c", code, folder], check=True)


def _run_one(
  first: int, end: int, folder: str, results: list[dict[str, Any]]
) -> int | None:
  """The number that ended the process, if one did."""
  command = [
    sys.executable, "-m", "tests.untrusted.mutants", f"--first={first}",
    f"--end={end}", f"--folder={folder}",
  ]  # fmt: skip
  environment = {**os.environ, "HOME": os.path.join(folder, "outside")}
  with subprocess.Popen(
    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
  ) as process:
    begun = None
    limit = _START_SECONDS
    buffer = b""
    while True:
      ready, _, _ = select.select([process.stdout], [], [], limit)
      if not ready:
        process.kill()
        results.append(
          {"number": begun, "outcome": "hung", "seconds": limit, "bytes": 0,
           "happened": ["no end"]}
        )  # fmt: skip
        return begun
      data = os.read(process.stdout.fileno(), 2**16)
      if not data:
        break
      *lines, buffer = (buffer + data).split(b"\n")
      for line in lines:
        message = json.loads(line)
        if "begin" in message:
          begun, limit = message["begin"], 2 * MAX_SECONDS
        else:
          results.append(message)
          begun, limit = None, _START_SECONDS
  if begun is None:
    assert process.returncode == 0, process.returncode
  return begun


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--count", type=int, default=5000)
  parser.add_argument("--first", type=int, default=0)
  parser.add_argument("--end", type=int)
  parser.add_argument("--folder")
  flags = parser.parse_args()
  if flags.end is not None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _work(flags.first, flags.end, flags.folder)
    return
  start = time.time()
  with tempfile.TemporaryDirectory() as folder:
    figures = run(flags.first, flags.count, folder)
  print(json.dumps(figures, indent=2))
  print(f"{time.time() - start:.0f} s")
  sys.exit(1 if figures["bad"] else 0)


if __name__ == "__main__":
  main()
