# SPDX-License-Identifier: Apache-2.0
"""Defects in a module's files, and ways out of them (F1, F3, F5)."""

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


@breaks("not-callable")
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


def damaged(name, file, change):
  """Registers a module with one file that is damaged."""

  def make(path):
    (damaged_file,) = pathlib.Path(tiny.build(path)).glob(file)
    damaged_file.write_bytes(change(damaged_file.read_bytes()))

  make.__name__ = name
  breaks("corrupt-file")(make)


def flip_middle(content):
  middle = len(content) // 2
  flipped = bytes([content[middle] ^ 0xFF])
  return content[:middle] + flipped + content[middle + 1 :]


damaged("truncated_graph", "saved_model.pb", lambda content: content[:-7])
damaged("empty_graph", "saved_model.pb", lambda content: b"")
damaged("other_format", "tfhub_module.pb", lambda content: b"\x08\x02")
damaged("flipped_weights", "variables/*.data-*", flip_middle)
damaged(
  "truncated_index", "variables/variables.index", lambda content: content[:40]
)


@breaks("missing-variables")
def no_checkpoint(path):
  for file in pathlib.Path(tiny.build(path)).glob("variables/*"):
    file.unlink()


def _grow_bias(meta_graph):
  for node in meta_graph.graph_def.node:
    if node.name == "logits/bias":
      node.attr["shape"].shape.dim[0].size += 1


def _forget_variables(meta_graph):
  for name in ("variables", "trainable_variables"):
    del meta_graph.collection_def[name]


breaks(
  "missing-variables",
  other_shape=dict(change=_grow_bias),
  uncollected_variables=dict(change=_forget_variables),
)


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
    line, number = tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64
    initializer = tf.lookup.TextFileInitializer(
      name, tf.string, line, number, tf.lookup.TextFileIndex.LINE_NUMBER
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


def _collect_losses(meta_graph):
  meta_graph.collection_def["losses"].node_list.value.append("pixels:0")


breaks("refused-collection", losses=dict(change=_collect_losses))


def _add_ring(meta_graph):
  for i in range(2):
    node = meta_graph.graph_def.node.add(name=f"ring_{i}", op="Identity")
    node.input.append(f"ring_{1 - i}")
    node.attr["T"].type = 1


def _serve_nothing(meta_graph):
  for signature in meta_graph.signature_def.values():
    signature.outputs["default"].name = "nowhere:0"


def _fail(x):
  with tf.control_dependencies([v1.assert_less(x, -1.0)]):
    return tf.identity(x)


breaks(
  "unloadable",
  unknown_op=dict(
    change=lambda meta: meta.graph_def.node.add(name="mine", op="MyOwnOp")
  ),
  cycle=dict(change=_add_ring),
  signature_of_nothing=dict(change=_serve_nothing),
  fails_on_running=dict(scale=_fail),
)


def _pin(node):
  node.device = "/device:GPU:0"


warns("device-pinned", on_a_gpu=dict(change=edit.nodes("Conv2D", _pin)))


def _call_python(x):
  y = v1.py_func(lambda a: a * 2 - 1, [x], tf.float32)
  y.set_shape(x.shape)
  return y


def _read_file(x):
  text = tf.io.read_file("/etc/hostname")
  return x + 0.0 * tf.cast(tf.strings.length(text), tf.float32)


def _after(operation):
  """What runs `operation()` and gives the images as they are."""

  def scale(x):
    with tf.control_dependencies([operation()]):
      return tf.identity(x)

  return scale


def _sample(x):
  """By an op whose kernel reads the file that an attribute names."""
  sampled = tf.random.fixed_unigram_candidate_sampler(
    tf.zeros([1, 1], tf.int64), 1, 1, True, 3, vocab_file="/etc/passwd"
  )
  return x + 0.0 * tf.cast(sampled[0][0], tf.float32)


breaks(
  "not-hermetic",
  python_function=dict(scale=_call_python),
  reads_a_file=dict(scale=_read_file),
  writes_a_file=dict(scale=_after(lambda: tf.io.write_file("stolen", "data"))),
  prints_to_a_file=dict(
    scale=_after(lambda: tf.print("data", output_stream="file:///dev/null"))
  ),
  sampler_with_a_vocabulary_file=dict(scale=_sample),
)


@breaks("not-hermetic")
def link_that_leads_out(path):
  file = pathlib.Path(tiny.build(path)) / "assets.extra" / "labels.txt"
  file.parent.mkdir()
  file.symlink_to("/etc/hostname")


@breaks("not-hermetic")
def asset_outside(path):
  with_table(path)
  file = pathlib.Path(path) / "saved_model.pb"
  content = file.read_bytes()
  assert b"words.txt" in content
  file.write_bytes(content.replace(b"words.txt", b"../../../"))


def _leave_saver(net):
  v1.train.Saver(v1.global_variables(), name="leftover")


warns("not-hermetic", dead_restore=dict(finish=_leave_saver))
