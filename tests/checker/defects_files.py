"""Defects in a module's files (F1, F3, F5)."""

from __future__ import annotations

import os
import pathlib
import tarfile

from hub_image_export.tensorflow_api.compat import tf
from tests.checker import edit, tiny
from tests.checker.corpus import breaks, warns

v1 = tf.compat.v1


@breaks("not-a-module")
def nothing(path):
  os.makedirs(os.path.dirname(path), exist_ok=True)


@breaks("not-a-module")
def another_file(path):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  pathlib.Path(path).write_text("no module")


@breaks("not-a-module")
def in_a_folder(path):
  tiny.build(os.path.join(path, "module"))
  os.remove(os.path.join(path, "module", "tfhub_module.pb"))


@breaks("not-a-module")
def tf2_saved_model(path):
  """As TF 2.0 wrote it, when there were no fingerprints."""
  tf.saved_model.save(tf.Module(), path)
  (pathlib.Path(path) / "fingerprint.pb").unlink()


@breaks("unsafe-archive")
def leads_out(path):
  os.makedirs(os.path.dirname(path), exist_ok=True)
  with tarfile.open(path, "w:gz") as archive:
    archive.addfile(tarfile.TarInfo("../saved_model.pb"))


@breaks("missing-module-def")
def unfinished_export(path):
  os.remove(tiny.build(path) + "/tfhub_module.pb")


@breaks("corrupt-file")
def truncated_graph(path):
  file = pathlib.Path(tiny.build(path)) / "saved_model.pb"
  file.write_bytes(file.read_bytes()[:-7])


@breaks("corrupt-file")
def empty_graph(path):
  (pathlib.Path(tiny.build(path)) / "saved_model.pb").write_bytes(b"")


@breaks("corrupt-file")
def other_format(path):
  file = pathlib.Path(tiny.build(path)) / "tfhub_module.pb"
  file.write_bytes(b"\x08\x02")


@breaks("corrupt-file")
def flipped_weights(path):
  file = pathlib.Path(tiny.build(path)).glob("variables/*.data-*")
  for data in file:
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 0xFF
    data.write_bytes(content)


@breaks("corrupt-file")
def truncated_index(path):
  file = pathlib.Path(tiny.build(path)) / "variables" / "variables.index"
  file.write_bytes(file.read_bytes()[:40])


@breaks("missing-variables")
def no_checkpoint(path):
  for file in pathlib.Path(tiny.build(path)).glob("variables/*"):
    file.unlink()


@breaks("missing-variables")
def other_shape(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      for node in meta_graph.graph_def.node:
        if node.name == "logits/bias":
          node.attr["shape"].shape.dim[0].size += 1


@breaks("missing-variables")
def uncollected_variables(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      for name in ("variables", "trainable_variables"):
        del meta_graph.collection_def[name]


@breaks("missing-asset")
def lost_asset(path):
  with_table(path)
  os.remove(os.path.join(path, "assets", "words.txt"))


def with_table(path):
  """A module that looks words up in an asset."""
  source = pathlib.Path(path).with_suffix(".words") / "words.txt"
  source.parent.mkdir(parents=True)
  source.write_text("cat\ndog\n")

  def look_up(net):
    name = tf.constant(str(source))
    v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, name)
    initializer = tf.lookup.TextFileInitializer(
      name,
      tf.string,
      tf.lookup.TextFileIndex.WHOLE_LINE,
      tf.int64,
      tf.lookup.TextFileIndex.LINE_NUMBER,
    )
    table = tf.lookup.StaticHashTable(initializer, -1)
    table.lookup(tf.constant(["dog"]))

  tiny.build(path, finish=look_up)
  source.unlink()
  source.parent.rmdir()


@breaks("unexpected-file")
def readme(path):
  (pathlib.Path(tiny.build(path)) / "README.md").write_text("Hello")


@warns("unexpected-file")
def unused_asset(path):
  file = pathlib.Path(tiny.build(path)) / "assets" / "labels.txt"
  file.write_text("cat")


@breaks("refused-collection")
def losses(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      collection = meta_graph.collection_def["losses"]
      collection.node_list.value.append("pixels:0")


@breaks("unloadable")
def unknown_op(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      node = meta_graph.graph_def.node.add()
      node.name, node.op = "mine", "MyOwnOp"


@breaks("unloadable")
def cycle(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      for i in range(2):
        node = meta_graph.graph_def.node.add()
        node.name, node.op = f"ring_{i}", "Identity"
        node.input.append(f"ring_{1 - i}")
        node.attr["T"].type = 1


@breaks("unloadable")
def signature_of_nothing(path):
  with edit.saved_model(path) as proto:
    for signature in edit.for_signatures(proto):
      signature.outputs["default"].name = "nowhere:0"


@breaks("unloadable")
def fails_on_running(path):
  def scale(x):
    with tf.control_dependencies([v1.assert_less(x, -1.0)]):
      return tf.identity(x)

  tiny.build(path, scale=scale)


@warns("device-pinned")
def on_a_gpu(path):
  with edit.saved_model(path) as proto:
    for meta_graph in proto.meta_graphs:
      for node in meta_graph.graph_def.node:
        if node.op == "Conv2D":
          node.device = "/device:GPU:0"
