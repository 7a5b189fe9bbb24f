# SPDX-License-Identifier: Apache-2.0
"""What a function on images returned, brought into one form and judged.

Functions return a tensor, `(tensor, endpoints)` as slim and big_vision do, a
dict with a `"default"`, or, for several tasks, a dict keyed by the names of
signatures.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import logging

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.sources import outputs
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.layer_calls import LayerCalls


@dataclasses.dataclass(frozen=True)
class Results:
  """The outputs of a network, by the contract's names.

  Attributes:
    tasks: from the name of a task's signature to a `float32` tensor
      `[batch_size, width]` (C3, C6).
    endpoints: further outputs by key (C10), prefixed.
  """

  tasks: dict[str, Any]
  endpoints: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Request:
  """What a builder asks of a function's results.

  Attributes:
    tasks: the tasks that the module serves; None where the function says so,
      by the keys of the dict that it returns.
    endpoints: names of Keras layers to expose.
    feature_layer: name of the Keras layer that yields the feature vector.
    arch_name: prefix of the endpoints' keys (C10).
    left_out: keys of endpoints that no variant serves.
  """

  tasks: tuple[str, ...] | None
  endpoints: tuple[str, ...] = ()
  feature_layer: str | None = None
  arch_name: str | None = None
  left_out: frozenset[str] = frozenset()

  def interpret(
    self, returned: Any, layers: LayerCalls, source: str = "fn"
  ) -> Results:
    """Sorts what the function returned into tasks and endpoints.

    Args:
      returned: by the function.
      layers: the calls of Keras layers.
      source: the function's name, for messages.

    Raises:
      TypeError: something in it is no tensor.
      ValueError: a tensor is not what the contract asks for.
    """
    if self.tasks is None and self.feature_layer is None:
      tasks, endpoints = _split_tasks(source, *_split_pair(source, returned))
    else:
      output, endpoints = _split_default(source, *_split_pair(source, returned))
      tasks = {self._main_task: output}
    if self.feature_layer is not None:
      features = _layer_output(layers, self.feature_layer, "feature_layer")
      tasks[contract.IMAGE_FEATURE_VECTOR] = _pooled(
        features, self.feature_layer
      )
    pairs = [
      *endpoints.items(),
      *(
        (name, _layer_output(layers, name, "endpoints"))
        for name in self.endpoints
      ),
    ]
    return Results(
      tasks={name: _task_output(name, tasks[name]) for name in sorted(tasks)},
      endpoints={
        key: value
        for key, value in _prefixed(pairs, self.arch_name).items()
        if key not in self.left_out
      },
    )

  @property
  def _main_task(self) -> str:
    return (self.tasks or (contract.IMAGE_CLASSIFICATION,))[0]


def _split_pair(source: str, returned: Any) -> tuple[Any, Mapping[str, Any]]:
  """`(output, endpoints)`, whether or not the function returned a pair."""
  if not isinstance(returned, (tuple, list)):
    return returned, {}
  if len(returned) == 2 and isinstance(returned[1], Mapping):
    return returned[0], returned[1]
  raise TypeError(
    f"{source} returned a {type(returned).__name__} of {len(returned)} values, "
    f"{outputs.described(returned)}: expected a tensor, (tensor, dict of "
    "endpoints), or a dict with a 'default'. Choose one, say with "
    f"{called('output', '0')}"
  )


def _split_default(
  source: str, output: Any, endpoints: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
  if not isinstance(output, Mapping):
    return output, dict(endpoints)
  if contract.DEFAULT_OUTPUT not in output:
    raise ValueError(
      f"{source} has the outputs {outputs.described(output)}: expected one "
      f"called 'default'. Choose one, say with {called('output', _any(output))}"
      f". For several tasks: {called('make_image_module')}"
    )
  rest = {k: v for k, v in output.items() if k != contract.DEFAULT_OUTPUT}
  return output[contract.DEFAULT_OUTPUT], _merged(source, rest, endpoints)


def _any(output: Mapping[str, Any]) -> str:
  """An example to choose: the first that could be a task, if there is one."""
  fits = (key for key, value in output.items() if _is_row_of_reals(value))
  return next(map(str, (*fits, *output)), "…")


def _is_row_of_reals(value: Any) -> bool:
  dtype = getattr(value, "dtype", None)
  rank = getattr(getattr(value, "shape", None), "rank", None)
  return rank == 2 and getattr(dtype, "is_floating", False)


def _split_tasks(
  source: str, output: Any, endpoints: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
  if not isinstance(output, Mapping):
    raise TypeError(
      f"{source} returned {_kind(output)}: expected, for several tasks, a dict "
      f"keyed by signature names ({', '.join(contract.TASKS)}), or a Keras "
      f"classifier and {called('feature_layer')}"
    )
  tasks = {k: v for k, v in output.items() if k in contract.TASKS}
  rest = {k: v for k, v in output.items() if k not in contract.TASKS}
  for key in rest:
    near = difflib.get_close_matches(str(key), contract.TASKS, 1, 0.85)
    if near:
      raise ValueError(
        f"{source} returned the key {key!r}: expected {near[0]!r}, the name of "
        "the signature"
      )
  if not tasks:
    raise ValueError(
      f"{source} has the outputs {outputs.described(output)}: expected "
      f"signature names, {' or '.join(contract.TASKS)}; or choose the scores "
      f"of classes with {called('output')}, and the layer of features with "
      f"{called('feature_layer')}"
    )
  return tasks, _merged(source, rest, endpoints)


def _merged(
  source: str, a: Mapping[str, Any], b: Mapping[str, Any]
) -> dict[str, Any]:
  both = sorted(set(a) & set(b), key=str)
  if both:
    raise ValueError(
      f"{source} returned two endpoints of the same name, {both}: expected one "
      "of each. Rename one"
    )
  return {**a, **b}


def _layer_output(layers: LayerCalls, name: str, argument: str) -> Any:
  try:
    return layers.output_of(name)
  except ValueError as error:
    raise ValueError(f"{called(argument)}: {error}") from None


def _pooled(features: Any, layer: str) -> Any:
  """Averages a 4-D feature map over space (C4)."""
  if not tf.is_tensor(features) or features.shape.rank != 4:
    return features
  logging.info(
    "%s gives %s: averaged over height and width",
    called("feature_layer", layer),
    features.shape,
  )
  return tf.reduce_mean(features, [1, 2])


def _task_output(task: str, tensor: Any) -> Any:
  """The tensor as the contract wants it: float32, [batch_size, width]."""
  _check_dense_tensor(tensor, f"the output for {task}")
  shape = tensor.shape
  if shape.rank != 2:
    raise ValueError(
      f"the output for {task} has shape {shape}: expected [batch_size, width]. "
      + (
        "Pool it over height and width, say with tf.reduce_mean(x, [1, 2]); "
        f"{called('feature_layer')} and the name of a Keras layer does that"
        if shape.rank == 4
        else "Reshape it"
      )
    )
  if not tensor.dtype.is_floating:
    raise ValueError(
      f"the output for {task} is {tensor.dtype.name}: expected float32 "
      + (
        "logits, not predicted classes (C7)"
        if task == contract.IMAGE_CLASSIFICATION
        else "(C3)"
      )
    )
  if shape[1] is None:
    raise ValueError(
      f"the output for {task} has shape {shape}, of unknown width: expected a "
      "constant that does not depend on the size of the images (C3, C6). Pool "
      "over height and width instead of flattening, or set the static shape"
    )
  if shape[0] is not None and not tf.executing_eagerly():
    raise ValueError(
      f"the output for {task} has shape {shape}, of a fixed batch size: "
      "expected any (C14). Reshape with -1 where the batch stands"
    )
  return tf.cast(tensor, tf.float32)


def _check_dense_tensor(value: Any, what: str) -> None:
  if isinstance(value, (tf.SparseTensor, tf.RaggedTensor)):
    raise TypeError(
      f"{what} is a {type(value).__name__}: expected a dense tensor. Convert "
      "it with tf.sparse.to_dense or .to_tensor()"
    )
  if not tf.is_tensor(value) and not isinstance(value, tf.Variable):
    raise TypeError(
      f"{what} is {_kind(value)}: expected a tensor. Return what TensorFlow's "
      "ops make of the images"
    )


def _kind(value: Any) -> str:
  if tf.is_tensor(value):
    return f"one tensor of shape {value.shape}"
  return f"an object of type {type(value).__name__} ({value!r:.60})"


def _prefixed(
  endpoints: Sequence[tuple[Any, Any]], arch_name: str | None
) -> dict[str, Any]:
  """Endpoints by their final keys, which must be distinct (C10)."""
  found: dict[str, Any] = {}
  for key, value in endpoints:
    if not isinstance(key, str) or not key:
      raise TypeError(f"the endpoint {key!r} is no name: expected a string")
    if key == contract.DEFAULT_OUTPUT:
      raise ValueError(
        "an endpoint is called 'default', which is the name of the main output:"
        " rename it"
      )
    _check_dense_tensor(value, f"the endpoint {key!r}")
    name = contract.prefixed(key, arch_name)
    if name in found:
      raise ValueError(
        f"two endpoints are called {name!r}: their names must differ (C10)"
      )
    half = value.dtype in (tf.float16, tf.bfloat16)
    found[name] = tf.cast(value, tf.float32) if half else value
  return dict(sorted(found.items()))
