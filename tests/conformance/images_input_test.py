# SPDX-License-Identifier: Apache-2.0
"""C12 to C15, C17: one input, `images`, float32 [any, height, width, 3]."""

from __future__ import annotations

from hub_image_export.tensorflow_api.compat import tf


def test_images_are_the_only_input(exported):
  for tags in exported.model.variants:
    module = exported.consumer(tags).module
    for signature in module.get_signature_names():
      inputs = module.get_input_info_dict(signature)
      assert list(inputs) == ["images"]
      info = inputs["images"]
      assert info.dtype == tf.float32
      assert not info.is_sparse
      size = exported.model.height_and_width
      if exported.model.options.get("variable_size"):
        size = (None, None)
      assert info.get_shape().as_list() == [None, *size, 3]


def test_nothing_is_laid_out_with_channels_first(exported):
  for tags in exported.model.variants:
    graph_def = exported.consumer(tags).graph.as_graph_def()
    formats = {n.attr["data_format"].s for n in graph_def.node}
    assert formats <= {b"", b"NHWC"}
