# SPDX-License-Identifier: Apache-2.0
"""The one place from which a user's function or model is called.

By which rules: those of TensorFlow 2, unless the function turns out to be one
of TF1, or its process or file has asked for others. With autograph, where it
has Python control flow on tensors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from hub_image_export import contract
from hub_image_export.errors import SourceError
from hub_image_export.sources import meta_graphs
from hub_image_export.sources.source import Source
from hub_image_export.tensorflow_api import (
  keras_packages,
  private,
  slim,
  tf1_rules,
  user_errors,
)
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tracing.layer_calls import (
  LayerCalls,
  one_trace_at_a_time,
)


def converted(run: Callable[[Any], Any]) -> Any:
  """`run(convert)`, with what the source's code needs: rules, or autograph.

  A function of TF1 that compares tensors, or has them as keys, is run by the
  rules of `tf.Graph`. Whether it is one shows when it has been run.
  """
  try:
    return run(lambda call: call)
  except _NeedsAutographError:
    return run(tf.autograph.to_graph)
  except _ComparesTensorsError as error:
    try:
      return run(_by_identity)
    except _IsNotOfTF1Error as other:
      failed = error if error.problem else other
    if isinstance(failed.problem, _NeedsAutographError):
      return run(tf.autograph.to_graph)
    raise failed.problem from failed.cause


def _by_identity(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
  def called(images: Any) -> Any:
    with tf1_rules.by_identity():
      return call(images)

  return called


def record_variables(names: set[str]):
  """A context in which the names of new variables are added to `names`."""
  return each_new_variable(lambda variable: names.add(variable.name))


def each_new_variable(tell: Callable[[Any], None]):
  """A context in which `tell` is called with each new variable."""

  def creator(next_creator, **kwargs):
    variable = next_creator(**kwargs)
    tell(variable)
    return variable

  return tf.variable_creator_scope(creator)


@contextlib.contextmanager
def values_from_files(
  made: set[str], imports: meta_graphs.Imports
) -> Iterator[None]:
  """Gives variables the values that `init_from_checkpoint` asks for.

  And those that come with `import_meta_graph` the values beside that.

  In a traced function variables have values as soon as they are made; what
  stands for their initializers in a graph is never run.

  Args:
    made: names of the variables that this holds for.
    imports: learns which of them have a value from a file.
  """

  def load(
    original: Callable[[], None], variable: Any, file: str, key: str, part: str
  ) -> None:
    traced = private.is_traced(tf.compat.v1.get_default_graph())
    if not traced or variable.name not in made:
      original()
      return
    with tf.init_scope():
      (value,) = tf.raw_ops.RestoreV2(
        prefix=file,
        tensor_names=[key],
        shape_and_slices=[part],
        dtypes=[variable.dtype.base_dtype],
      )
      variable.assign(value)
    imports.loaded.add(variable.name)

  with (
    one_trace_at_a_time,
    private.checkpoint_initializers_go_to(load),
    imports.with_values(),
  ):
    yield


class _NeedsAutographError(Exception):
  """The function has Python control flow on tensors."""


class _RunError(Exception):
  """A run that does not count.

  Attributes:
    problem: what to raise if it counts, where it failed.
    cause: what it failed with.
  """

  def __init__(self, problem: Any, cause: Exception | None) -> None:
    super().__init__()
    self.problem, self.cause = problem, cause


class _ComparesTensorsError(_RunError):
  """The function compares tensors, and may be one of TF1."""


class _IsNotOfTF1Error(_RunError):
  """It was run by the rules of `tf.Graph`, and is none for one."""


def call_source(
  source: Source,
  images: Any,
  training: bool,
  options: dict,
  convert: Any,
  layers: LayerCalls,
) -> Any:
  """Calls the source's code, for the graph that is the default one.

  Args:
    source: what to call.
    images: what it takes.
    training: whether as for training.
    options: further arguments, but for what it does not take.
    convert: what `converted` gave.
    layers: the Keras layers that are called meanwhile.

  Raises:
    SourceError: the code raised.
  """
  if source.training_parameter:
    options = {**options, source.training_parameter: training}
  if not source.takes_momentum:
    options.pop(contract.BATCH_NORM_MOMENTUM, None)

  def call(x):
    return source.call(x, **options)

  made: set[str] = set()
  before = tf1_rules.comparisons()
  problem, cause, returned = None, None, None
  with users_code(), record_variables(made):
    try:
      returned = convert(call)(images)
    except Exception as error:
      problem, cause = _problem(source, training, convert, error), error
    compared = tf1_rules.comparisons() > before
  of_tf1 = _is_of_tf1(made, layers)
  if convert is _by_identity and not of_tf1:
    raise _IsNotOfTF1Error(problem, cause)
  if (
    compared
    and convert is not _by_identity
    and private.is_traced(tf.compat.v1.get_default_graph())
    and (problem or of_tf1)
  ):
    raise _ComparesTensorsError(problem, cause)
  if problem:
    raise problem from cause
  return returned


def _problem(
  source: Source, training: bool, convert: Any, error: Exception
) -> Exception:
  """What to raise where the source's code has raised `error`."""
  if isinstance(
    error, tf.errors.OperatorNotAllowedInGraphError
  ) and convert not in (tf.autograph.to_graph, _by_identity):
    return _NeedsAutographError()
  variant = "training" if training else "inference"
  return SourceError(
    f"{source.name} raised while its {variant} variant was traced: "
    f"{user_errors.raised(error)}"
  )


def _is_of_tf1(made: set[str], layers: LayerCalls) -> bool:
  """Whether a function would run in a `tf.Graph`: its variables are its own."""
  graph = tf.compat.v1.get_default_graph()
  return (
    private.is_traced(graph)
    and bool(made)
    and made.issuperset(v.name for v in private.variables(graph))
    and not any(map(keras_packages.is_of_keras_3, layers.layers))
  )


@contextlib.contextmanager
def users_code() -> Iterator[None]:
  """TensorFlow as the process has it; what the code switches is undone."""
  slim.provide()
  with tf1_rules.of_the_process(), tf1_rules.switches_kept():
    yield
