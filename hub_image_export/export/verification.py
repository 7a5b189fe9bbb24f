"""Does the module on disk compute what its source computes?

The staged module is loaded as a consumer loads it, and each output of its
inference variant is compared with the source, as it was traced and with the
weights that the module has: those of the source now, or of a checkpoint.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from hub_image_export import contract
from hub_image_export.errors import VerificationError, reason
from hub_image_export.export import reference
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet

if TYPE_CHECKING:
  from hub_image_export.export.spec import ImageModuleSpec

_BATCH_SIZES = (1, 2)
_RELATIVE_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Difference:
  """How far an output is from the source's.

  Attributes:
    output: signature and key (`"image_feature_vector/default"`).
    absolute: the largest absolute difference.
    relative: the same over the largest absolute value of the output.
  """

  output: str
  absolute: float
  relative: float


@dataclasses.dataclass(frozen=True)
class LoadedModule:
  """A module's inference variant, as a consumer has it.

  Attributes:
    graph: in which it was instantiated.
    images: placeholder for them.
    outputs: by signature and key (`"image_feature_vector/default"`).
    session: in which its variables have their values.
  """

  graph: Any
  images: Any
  outputs: dict[str, Any]
  session: Any


def verify(
  path: str,
  spec: ImageModuleSpec,
  then: Callable[[LoadedModule], None] | None = None,
) -> list[Difference]:
  """Compares the module in `path` with the source of `spec`.

  Random images of two batch sizes are used; with variable sizes, of two sizes.
  The source computes while the module is loaded: that is work for TensorFlow's
  threads here, and for Python there.

  Args:
    path: the module's directory.
    spec: of which it was made.
    then: called with the loaded module if it was found good.

  Returns:
    The largest difference for each output.

  Raises:
    VerificationError: an output differs, by more than 1e-4 of its scale, or is
      not finite.
  """
  batches = _batches(spec)
  try:
    source = reference.under_values(spec.function)
    with concurrent.futures.ThreadPoolExecutor(1) as beside:
      expected = beside.map(lambda b: _run_source(spec, source, b), batches)
      with _loaded(path, spec) as module:
        found = [
          module.session.run(module.outputs, {module.images: batch})
          for batch in batches
        ]
        differences = _compare_outputs(spec, found, list(expected))
        if then is not None:
          then(module)
        return differences
  except tf.errors.ResourceExhaustedError:
    raise  # Nothing is wrong with the module: there is too little memory.
  except tf.errors.OpError as error:
    raise VerificationError(
      f"the module, or its source, does not run: {reason(error)}"
    ) from error


def _compare_outputs(
  spec: ImageModuleSpec,
  found: list[dict[str, np.ndarray]],
  expected: list[dict[str, np.ndarray]],
) -> list[Difference]:
  """The largest difference of each output, over all batches."""
  activations = spec.function.inference.activations
  worst: dict[str, Difference] = {}
  for of_module, of_source in zip(found, expected):
    for output, value in of_module.items():
      value = _activated(output, value, activations)
      difference = _compare(output, value, of_source[output])
      if output not in worst or difference.relative > worst[output].relative:
        worst[output] = difference
  return [worst[output] for output in sorted(worst)]


def _batches(spec: ImageModuleSpec) -> list[np.ndarray]:
  random = np.random.RandomState(0)
  interface = spec.interface
  size = (interface.height, interface.width)
  shapes = [(n, *size, 3) for n in _BATCH_SIZES]
  if interface.variable_size:
    shapes.append((1, *reference.another_size(interface), 3))
  return [random.uniform(size=s).astype(np.float32) for s in shapes]


@contextlib.contextmanager
def _loaded(path: str, spec: ImageModuleSpec) -> Iterator[LoadedModule]:
  graph = tf.Graph()
  with quiet(), graph.as_default():
    module = hub.Module(path)
    images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3])
    images.set_shape(spec.interface.image_shape)
    outputs = {}
    for task in spec.function.inference.tasks:
      results = module({contract.IMAGES: images}, signature=task, as_dict=True)
      outputs.update({f"{task}/{k}": v for k, v in results.items()})
    initializer = tf.compat.v1.global_variables_initializer()
  # Not as the default session, with its graph: activations run eagerly.
  with contextlib.closing(tf.compat.v1.Session(graph=graph)) as session:
    session.run(initializer)
    yield LoadedModule(graph, images, outputs, session)


def _run_source(
  spec: ImageModuleSpec, source: Any, batch: np.ndarray
) -> dict[str, np.ndarray]:
  results = reference.run(source, batch, spec.interface)
  endpoints = {k: v.numpy() for k, v in results["endpoints"].items()}
  expected = {}
  for task, value in results["tasks"].items():
    expected[f"{task}/{contract.DEFAULT_OUTPUT}"] = value.numpy()
    expected.update({f"{task}/{k}": v for k, v in endpoints.items()})
  return expected


def _activated(output: str, value: Any, activations: dict[str, str]) -> Any:
  """The probabilities of logits whose activation was taken off (C7)."""
  task, _, key = output.partition("/")
  if key != contract.DEFAULT_OUTPUT or task not in activations:
    return value
  activation = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}
  return activation[activations[task]](value).numpy()


def _compare(output: str, found: Any, expected: Any) -> Difference:
  if found.shape != expected.shape:
    raise VerificationError(
      f"the output {output} has shape {found.shape}: the source gives "
      f"{expected.shape}"
    )
  if not np.all(np.isfinite(found)):
    raise VerificationError(
      f"the output {output} has values that are NaN or infinite, for random "
      "images in [0, 1]. Are the weights sound, and preprocess= the right one?"
    )
  absolute = float(np.max(np.abs(found - expected), initial=0.0))
  scale = float(np.max(np.abs(expected), initial=0.0))
  relative = absolute / scale if scale else absolute
  difference = Difference(output, absolute, relative)
  if difference.relative > _RELATIVE_TOLERANCE:
    raise VerificationError(
      f"the output {output} differs from the source's by {absolute:.3g} "
      f"({difference.relative:.3g} of its scale): expected at most "
      f"{_RELATIVE_TOLERANCE:g}. The module is not written. Does the source "
      "compute the same for the same images each time?"
    )
  return difference
