"""C12 to C15, C17: one input, `images`, float32 [any, height, width, 3]."""

from __future__ import annotations

import pytest

from hub_image_export.tensorflow_api.compat import tf
from tests.support import models


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_images_are_the_only_input(model, exports):
  for tags in model.variants:
    module = exports(model).consumer(tags).module
    for signature in module.get_signature_names():
      inputs = module.get_input_info_dict(signature)
      assert list(inputs) == ["images"]
      info = inputs["images"]
      assert info.dtype == tf.float32
      assert not info.is_sparse
      size = model.height_and_width
      if model.options.get("variable_size"):
        size = (None, None)
      assert info.get_shape().as_list() == [None, *size, 3]


@pytest.mark.parametrize("model", models.ALL, ids=str)
def test_nothing_is_laid_out_with_channels_first(model, exports):
  for tags in model.variants:
    graph_def = exports(model).consumer(tags).graph.as_graph_def()
    formats = {n.attr["data_format"].s for n in graph_def.node}
    assert formats <= {b"", b"NHWC"}
