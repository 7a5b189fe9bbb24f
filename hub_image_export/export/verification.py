# SPDX-License-Identifier: Apache-2.0
"""Does the module on disk compute, and learn, what its source does?

The staged module is loaded, and held against the source itself, run anew in
its own way (`source_run`) with the weights that the module has: each output
of the inference variant, and one step of the training variant.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
from collections.abc import Callable, Container, Iterator
from typing import Any

import numpy as np

from hub_image_export import contract
from hub_image_export.arguments import called
from hub_image_export.errors import SourceError, VerificationError, reason
from hub_image_export.export import (
  comparison,
  loaded_module,
  self_differences,
)
from hub_image_export.export.compared_images import (
  inference_batches,
  training_images,
)
from hub_image_export.export.comparison import Difference
from hub_image_export.export.interface import Interface
from hub_image_export.export.objective import objective_of
from hub_image_export.export.source_run import SourceRun
from hub_image_export.export.step import Step
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.image_function import ImageFunction


@dataclasses.dataclass(frozen=True)
class Verification:
  """What was compared.

  Attributes:
    differences: the largest one of each output, variable and gradient.
    notes: what was not compared, or not as usual, and why.
  """

  differences: list[Difference]
  notes: list[str]


def verify(
  path: str,
  function: ImageFunction,
  interface: Interface,
  then: Callable[[Any], None] | None = None,
  loader: Any = loaded_module,
) -> Verification:
  """Compares the module in `path` with its source.

  The inference variant gets batches of one and two images, of two sizes where
  sizes vary: with structure, all black and all white. The training variant
  makes one step: its outputs, the new values of all variables and the
  penalties are compared, and the gradients where something between the source
  and the module touched them.

  Args:
    path: the module's directory.
    function: of which it was made.
    interface: likewise.
    then: called with the inference variant when it is loaded, in another
      thread, before anything is compared.
    loader: has `inference` and `training_step`, of the module's format.

  Raises:
    VerificationError: something differs, or is not finite. Outputs may differ
      by 1e-4 of their scale, and by what rounding explains (see
      `self_differences`); for the rest see `comparison`.
  """
  try:
    return _Verifier(path, function, interface, loader).run(then)
  except tf.errors.ResourceExhaustedError:
    raise  # Nothing is wrong with the module: there is too little memory.
  except tf.errors.OpError as error:
    raise VerificationError(
      f"the module, or its source, does not run: {reason(error)}"
    ) from error
  except SourceError as error:
    raise VerificationError(f"the source does not run anew: {error}") from error


class _Verifier:
  """One verification."""

  def __init__(
    self,
    path: str,
    function: ImageFunction,
    interface: Interface,
    loader: Any,
  ) -> None:
    self._loader = loader
    self._path, self._function = path, function
    self._interface = interface
    self._source = SourceRun(function)
    self._notes: list[str] = []

  def run(self, then: Callable[[Any], None] | None) -> Verification:
    batches = inference_batches(self._interface)
    images = training_images(self._interface)
    trains = len(self._function.variants) > 1
    objective = objective_of(self._function) if trains else None
    with contextlib.ExitStack() as stack:
      # The module's thread knows nothing of the scopes that the caller is in.
      # One waits for the other: both are Python for the most part, and side by
      # side take a fifth more of processors, and no less time.
      apart = stack.enter_context(concurrent.futures.ThreadPoolExecutor(1))
      loaded = stack.enter_context(self._loaded(apart, then))
      expected = [self._source(batch).outputs for batch in batches]
      differences = self._inference(loaded, batches, expected)
      if trains:
        source = self._source(images, True, objective)
        objective = objective if source.gradients else None
        step = apart.submit(self._module_step, images, objective).result()
        differences += self._training(step, source, images, objective)
    return Verification(
      differences, list(dict.fromkeys([*self._notes, *self._source.notes]))
    )

  @contextlib.contextmanager
  def _loaded(
    self,
    apart: concurrent.futures.Executor,
    then: Callable[[Any], None] | None,
  ) -> Iterator[Any]:
    context = self._loader.inference(
      self._path, self._function, self._interface
    )
    with contextlib.ExitStack() as stack:

      def load() -> Any:
        module = stack.enter_context(context)
        if then is not None:
          then(module)
        return module

      yield apart.submit(load).result()

  def _inference(
    self,
    module: Any,
    batches: list[np.ndarray],
    expected: list[dict[str, Any]],
  ) -> list[Difference]:
    found = [self._activated(module.run(module.outputs, b), 0) for b in batches]
    _check_finite(found[0])

    def compare(outputs: list[dict[str, Any]]) -> list[Difference]:
      return comparison.outputs("inference", outputs, expected)

    def again(changed: Callable[[Any], Any]) -> list[Difference]:
      return compare([self._source(changed(b)).outputs for b in batches])

    return self._judge(compare(found), again, 0)

  def _module_step(self, images: np.ndarray, objective: Any) -> Step:
    return self._loader.training_step(
      self._path,
      self._function,
      images,
      objective and (lambda outputs: objective(self._activated(outputs, -1))),
    )

  def _training(
    self, module: Step, source: Step, images: np.ndarray, objective: Any
  ) -> list[Difference]:
    variables = {v.name: v for v in self._function.variables}
    expected = _of_module(source, variables)
    dropped = self._function.variants[-1].dropped_penalties
    if dropped:
      expected = dataclasses.replace(expected, penalties=module.penalties)
      self._notes.append(
        "the penalties were not compared: the source has some that depend on "
        f"the images ({', '.join(dropped[:3])})"
      )

    module = dataclasses.replace(
      module, outputs=self._activated(module.outputs, -1)
    )

    def compare(step: Step) -> list[Difference]:
      return comparison.steps(
        _of_module(step, variables),
        expected,
        lambda name: variables[name].read().numpy(),
      )

    def again(changed: Callable[[Any], Any]) -> list[Difference]:
      return compare(self._source(changed(images), True, objective))

    return self._judge(compare(module), again, -1)

  def _judge(
    self,
    differences: list[Difference],
    again: self_differences.Again,
    index: int,
  ) -> list[Difference]:
    graph_def = self._function.variants[index].graph_def
    found, notes = self_differences.judge(differences, again, graph_def)
    self._notes += notes
    return found

  def _activated(self, outputs: dict[str, Any], index: int) -> dict[str, Any]:
    """The probabilities of logits whose activation was taken off (C7).

    Networks may have one for inference only: `index` tells the variant.
    """
    known = {"softmax": tf.nn.softmax, "sigmoid": tf.nn.sigmoid}
    activated = dict(outputs)
    for task, name in self._function.variants[index].activations.items():
      key = f"{task}/{contract.DEFAULT_OUTPUT}"
      if key in outputs:
        logits = tf.cast(outputs[key], self._computed_in(name))
        activated[key] = tf.cast(known[name](logits), tf.float32)
    return activated

  def _computed_in(self, activation: str) -> Any:
    """The type that the source has for it: half floats are coarse."""
    operations = self._function.reference.graph.get_operations()
    kind = activation.capitalize()
    dtypes = {op.outputs[0].dtype for op in operations if op.type == kind}
    return dtypes.pop() if len(dtypes) == 1 else tf.float32


def _of_module(step: Step, variables: Container[str]) -> Step:
  """The step, without replicas of variables that a module has once.

  Raises:
    VerificationError: it changes something that the module does not have.
  """
  for name in step.values:
    replica_of = name.partition("/replica_")[0]
    if name not in variables and replica_of not in variables:
      raise VerificationError(
        f"a training step of the source changes the variable {name!r}, which "
        "the module does not have. The module is not written"
      )
  values = {k: v for k, v in step.values.items() if k in variables}
  return dataclasses.replace(step, values=values)


def _check_finite(outputs: dict[str, np.ndarray]) -> None:
  for name, value in outputs.items():
    if not np.all(np.isfinite(value)):
      raise VerificationError(
        f"the output {name} has values that are NaN or infinite, for random "
        "images in [0, 1]: expected numbers. Are the weights sound, and is "
        f"{called('preprocess')} the right one?"
      )
