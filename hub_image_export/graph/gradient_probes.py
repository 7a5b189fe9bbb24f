# SPDX-License-Identifier: Apache-2.0
"""Two gradients of one computation, compared for values of many sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from hub_image_export.graph.excerpts import known_shape
from hub_image_export.tensorflow_api.compat import tf

# What clips, cuts or rounds does so at some size.
_ARGUMENT_SCALES = (0.0, 1e-6, 1e-3, 1.0, 10.0, 100.0, 1e3, 1e6)
_UPSTREAM_SCALES = (0.0, 1e-8, 1e-4, 1e-2, 1e2, 1e4, 1e8)
# Where relu6, hard sigmoids and quantization to 8 bits have their corners.
_CORNERS = (0.5, 1.0, 2.5, 3.0, 6.0, 20.0, 127.0, 128.0, 255.0)
# Nobody minds that TensorFlow's gradient overflows beyond these arguments.
_LARGEST_USUAL = 1e3
# How far gradients may differ, as a part of the largest of their values; more
# where there are types of 16 bits, which also hold no squares beyond 1e4.
_TOLERANCE = 1e-3
_TOLERANCES = {tf.bfloat16: 0.1, tf.float16: 0.02}
_SCALES_OF_HALF = (1e-4, 100.0)
# What terms that cancel each other leave, as a part of that tolerance and of
# the upstream gradient.
_CANCELLED = 1e-3
# Fewer values than this are drawn as often as this.
_FEW_VALUES = 8
_REPEATS = 4

# Draws values of a shape.
_Draw = Callable[[np.random.RandomState, "list[int]"], np.ndarray]


def differences(
  graph: Any,
  pairs: dict[str, tuple[Any, Any]],
  arguments: list[Any],
  upstream: dict[Any, Any],
) -> Iterator[tuple[str, str]]:
  """Yields what differs: the name of a pair, and a sentence with numbers.

  Where the first of two gradients is not finite, nothing is compared.

  Args:
    graph: what the tensors are of.
    pairs: by name a gradient, and TensorFlow's, which should be equal.
    arguments: placeholders that get values of all sizes and both signs.
    upstream: placeholders of the gradients that come in, each with what it is
      a gradient of.

  Raises:
    ValueError: no value of the gradients could be compared.
  """
  tolerance = _tolerance(graph)
  random = np.random.RandomState(0)
  # Its optimizers would take longer than these few ops.
  config = tf.compat.v1.ConfigProto()
  config.graph_options.rewrite_options.disable_meta_optimizer = True
  error: Exception | None = None
  is_compared = not pairs
  with tf.compat.v1.Session(graph=graph, config=config) as session:
    compute = session.make_callable(list(upstream.values()), arguments)
    differentiate = session.make_callable(
      list(pairs.values()), [*arguments, *upstream]
    )
    probes = list(_probes(tolerance > _TOLERANCE))
    if sum(np.prod(known_shape(x)) for x in arguments) < _FEW_VALUES:
      probes *= _REPEATS
    for draw, of_arguments, of_upstream in probes:
      try:
        values = [draw(random, known_shape(x)) for x in arguments]
        shapes = [y.shape for y in compute(*values)]
        values += [of_upstream * random.normal(size=shape) for shape in shapes]
        found = differentiate(*values)
      except tf.errors.InvalidArgumentError as e:  # It asserts something.
        error = e
        continue
      for name, (a, b) in zip(pairs, found):
        places = np.isfinite(a)
        if a.shape == b.shape and of_arguments > _LARGEST_USUAL:
          places = np.logical_and(places, np.isfinite(b))
        is_compared = is_compared or bool(np.any(places))
        what = _difference(a, b, places, _CANCELLED * of_upstream, tolerance)
        if what:
          yield name, f"{what} for upstream gradients of size {of_upstream:g}"
  if not is_compared:
    raise ValueError(f"no values were found that both take: {error}")


def _difference(
  a: np.ndarray,
  b: np.ndarray,
  places: np.ndarray,
  least: float,
  tolerance: float,
) -> str | None:
  if a.shape != b.shape:
    return f"it gives the shape {a.shape} where TensorFlow gives {b.shape}"
  a, b = (x[places].astype(np.float64) for x in (a, b))
  if not a.size:
    return None
  sizes = np.abs(np.concatenate([a, b]))
  largest = np.max(sizes, initial=0.0, where=np.isfinite(sizes))
  errors = np.nan_to_num(np.abs(a - b), nan=np.inf)
  worst = int(np.argmax(errors))
  if errors[worst] <= tolerance * (largest + least):
    return None
  return f"it gives {a[worst]:.3g} where TensorFlow gives {b[worst]:.3g}"


def _probes(is_half: bool) -> Iterator[tuple[_Draw, float, float]]:
  """Yields how to draw arguments, their size, and that of the upstream."""
  least, most = _SCALES_OF_HALF if is_half else (0.0, np.inf)
  for scale in _ARGUMENT_SCALES:
    if scale == 0.0 or least <= scale <= most:
      yield _normal(scale), scale, 1.0
  for scale in _UPSTREAM_SCALES:
    if scale == 0.0 or least <= scale <= most:
      yield _normal(1.0), 1.0, scale
  yield _near_corners, 1.0, 1.0
  yield lambda random, shape: random.uniform(size=shape), 1.0, 1.0


def _normal(scale: float) -> _Draw:
  return lambda random, shape: scale * random.normal(size=shape)


def _near_corners(
  random: np.random.RandomState, shape: list[int]
) -> np.ndarray:
  corners = random.choice(_CORNERS, shape) * random.choice([-1.0, 1.0], shape)
  return corners * random.uniform(0.97, 1.03, shape)


def _tolerance(graph: Any) -> float:
  dtypes = {y.dtype for op in graph.get_operations() for y in op.outputs}
  found = [t for dtype, t in _TOLERANCES.items() if dtype in dtypes]
  return max(found, default=_TOLERANCE)
