# SPDX-License-Identifier: Apache-2.0
"""`ImageModuleSpec`: a module that knows its weights and exports itself."""

from __future__ import annotations

import dataclasses
import os
import tempfile
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from hub_image_export import arguments, notebook
from hub_image_export.export import exporting, formats, groups
from hub_image_export.export.description import Description
from hub_image_export.export.formats import Format
from hub_image_export.export.interface import Interface
from hub_image_export.export.module_files import write_module
from hub_image_export.export.module_graph import make_module_fn
from hub_image_export.export.summary import Summary
from hub_image_export.files.staging import Staging
from hub_image_export.tensorflow_api import private_hub
from hub_image_export.tensorflow_api.compat import hub, tf
from hub_image_export.tensorflow_api.runtime import quiet, run_eagerly
from hub_image_export.tracing.image_function import ImageFunction
from hub_image_export.weights import assignment, checkpoint_writer
from hub_image_export.weights.keras_model import open_for
from hub_image_export.weights.names import NameRules

if TYPE_CHECKING:
  from typing_extensions import Unpack


class CheckpointOptions(TypedDict, total=False):
  """Those arguments of `with_weights` that `export` hands on."""

  checkpoint_prefix: str
  checkpoint_map: Mapping[str, str] | None
  ema: bool
  strict: bool


class ImageModuleSpec(private_hub.GraphsSpec):
  """A `hub.ModuleSpec` made by one of this package's builders.

  Whatever takes a spec takes this one: `hub.Module(spec)` computes with the
  weights that the source has when the module is instantiated, and
  `hub.get_expected_image_size(spec)` knows the size (C16).

  Attributes:
    interface: the default task, the expected size, the labels.
    function: the graphs and variables that the module consists of.
  """

  def __init__(
    self, handler: Any, function: ImageFunction, interface: Interface
  ) -> None:
    """Use a builder, such as `make_feature_vector_module`, instead."""
    super().__init__(handler)
    self.function = function
    self.interface = interface
    self._temporary: tempfile.TemporaryDirectory | None = None

  def describe(self) -> Description:
    """What the module would be: outputs, variants, candidates for endpoints."""
    return Description.of(self)

  def _repr_html_(self) -> str:
    return notebook.as_html("A module of", str(self.describe()))

  def export(  # pylint: disable=arguments-differ
    self,
    path: str | os.PathLike[str],
    checkpoint_path: str | os.PathLike[str] | None = None,
    name_transform_fn: Callable[[str], str] | None = None,
    *,
    overwrite: bool = False,
    verify: bool = True,
    check: bool = False,
    **checkpoint_options: Unpack[CheckpointOptions],
  ) -> Summary:
    """Writes the module to the directory `path`.

    The module carries a manifest, the names of its classes and, if it was
    verified, a golden example; the same model gives the same bytes each time.

    The module is written beside `path` and renamed into place when it is
    complete and verified: whatever fails, nothing is left behind, and nothing
    that existed has changed (F6).

    Args:
      path: a local directory that does not exist; missing parents are made.
      checkpoint_path: where the values of all variables come from instead of
        the model, which does not change; see `with_weights`.
      name_transform_fn: see `with_weights`.
      overwrite: replace a module that is there. Off by default, because
        published versions are immutable (F6).
      verify: load the module, and compare it with the source, run anew: each
        output of its inference variant, and one step of its training variant
        (outputs, new values of variables, penalties, and the gradients where
        anything touched them). On by default: it costs about as much as the
        rest of an export.
      check: let `check_module` judge the module before it is put into place,
        and fail on errors. Off by default: it takes a process of its own,
        which imports TensorFlow meanwhile, and builds the module with hub.
      **checkpoint_options: further arguments of `with_weights`.

    Returns:
      What was written: sizes, signatures, largest differences.

    Raises:
      TypeError, ValueError: an argument is of the wrong type, or makes no
        sense; see also `with_weights`.
      ExportError: `path` exists or cannot be written.
      WeightsError: variables are NaN or infinite, or the checkpoint does not
        have them all.
      VerificationError: the module does not compute what the source does.
      CheckError: the module breaks the contract.
    """
    return self._export_as(
      formats.HUB,
      path,
      checkpoint_path,
      name_transform_fn,
      checkpoint_options,
      overwrite=overwrite,
      verify=verify,
      check=check,
    )

  def export_saved_model(
    self,
    path: str | os.PathLike[str],
    checkpoint_path: str | os.PathLike[str] | None = None,
    name_transform_fn: Callable[[str], str] | None = None,
    *,
    overwrite: bool = False,
    verify: bool = True,
    check: bool = False,
    split_groups: bool | None = None,
    **checkpoint_options: Unpack[CheckpointOptions],
  ) -> Summary:
    """Writes the module as a reusable SavedModel of TensorFlow 2.

    What `export` makes is for `hub.Module` and infers only in TensorFlow 2;
    this is for `hub.load` and `hub.KerasLayer(path, trainable=True)`. All
    that `export` says of files, bytes and failures holds, too; no directory
    can be both. `obj = tf.saved_model.load(path)` gives (T1 to T14)

      obj(images)                          the default task: [batch_size, n]
      obj(images, training=True)           moving averages are updated, too
      obj(images, return_endpoints=True)   a dict: "default", and endpoints
      obj(images, batch_norm_momentum=0.9) if the spec was built with it (H1)
      obj.variables, obj.trainable_variables
      obj.regularization_losses            functions of no argument
      obj.image_feature_vector(images)     each task, where there are several,
                                           with all of the above
      obj.signatures["serving_default"](images=images)  {"default": …}
      obj.serve, obj.train                 for TFSMLayer of Keras 3

    `training` and `return_endpoints` are Python bools, False unless given;
    endpoints are there if the spec has any. A task that is trained alone
    updates the moving averages that it reads. Signatures with the tasks' names
    give the endpoints, too.

    Images are `float32 [batch_size, height, width, 3]`, RGB in [0, 1].

    Args:
      path, checkpoint_path, name_transform_fn, overwrite, verify, check,
        **checkpoint_options: as of `export`.
      split_groups: compute grouped convolutions group by group, as `export`
        does, for TensorFlow 1.15, and for CPUs where TensorFlow does without
        oneDNN: they compute none whole. False leaves them whole, which is
        faster. None: whole where the CPU here computes them, since what it
        does not compute cannot be verified. All of it is told.

    Returns, raises: as `export`.
    """
    if split_groups is not None:
      arguments.check_bool("split_groups", split_groups)
    function = self.function
    if function.has_groups and not groups.are_split(split_groups):
      function = function.unsplit
    spec = ImageModuleSpec(self.handler, function, self.interface)
    return spec._export_as(
      formats.SAVED_MODEL,
      path,
      checkpoint_path,
      name_transform_fn,
      checkpoint_options,
      overwrite=overwrite,
      verify=verify,
      check=check,
    )

  def _export_as(
    self,
    module_format: Format,
    path: str | os.PathLike[str],
    checkpoint_path: str | os.PathLike[str] | None,
    name_transform_fn: Callable[[str], str] | None,
    checkpoint_options: CheckpointOptions,
    *,
    overwrite: bool,
    verify: bool,
    check: bool,
  ) -> Summary:
    path = arguments.check_path("path", path, "the module's directory")
    for name, value in dict(
      overwrite=overwrite, verify=verify, check=check
    ).items():
      arguments.check_bool(name, value)
    arguments.check_known(
      checkpoint_options, list(CheckpointOptions.__annotations__)
    )
    spec = self
    if checkpoint_path is not None:
      spec = self.with_weights(
        checkpoint_path, name_transform_fn, **checkpoint_options
      )
    elif name_transform_fn is not None or checkpoint_options:
      given = {"name_transform_fn": name_transform_fn, **checkpoint_options}
      shown = ", ".join(f"{k}={arguments.shown(v)}" for k, v in given.items())
      raise ValueError(
        f"{shown} without checkpoint_path: expected the checkpoint that this "
        "is about"
      )
    return exporting.export(
      spec,
      path,
      overwrite=overwrite,
      verify=verify,
      check=check,
      module_format=module_format,
    )

  def with_weights(
    self,
    checkpoint_path: str | os.PathLike[str],
    name_transform_fn: Callable[[str], str] | None = None,
    *,
    checkpoint_prefix: str = "",
    checkpoint_map: Mapping[str, str] | None = None,
    ema: bool = False,
    strict: bool = False,
  ) -> ImageModuleSpec:
    """Returns this module with the values of a checkpoint.

    Every variable of the module gets its value from there. Values are read
    one by one when they are written; the user's model does not change.

    Args:
      checkpoint_path: prefix or directory (the latest one counts) of a
        TensorFlow checkpoint of TF1 or TF2; a SavedModel; a TF1 Hub module; an
        `.npz` file; weights saved by Keras. It has to stay there until the
        module is exported.
      name_transform_fn: from a variable's name to that in the checkpoint.
      checkpoint_prefix: what stands before each name in the checkpoint.
      checkpoint_map: names in the checkpoint by names of variables, or by
        regular expressions that match them wholly; `\\1` stands for a group.
      ema: take `…/ExponentialMovingAverage` of each variable that has one.
      strict: values of the checkpoint that nothing uses are an error.
        Optimizers and counters do not count.

    Raises:
      TypeError: an argument is of the wrong type.
      ValueError: the arguments contradict each other, or make no sense.
      WeightsError: the checkpoint cannot be read, or does not have all values:
        those that are missing or differ in shape or type are listed.
    """
    arguments.check_bool("strict", strict)
    rules = NameRules(
      name_transform_fn=name_transform_fn,
      prefix=checkpoint_prefix,
      mapping=checkpoint_map,
      ema=ema,
    )
    values = run_eagerly(
      lambda: open_for(
        self.function.layers, self.function.variables, checkpoint_path, rules
      )
    )
    variables = assignment.assign(
      self.function.variables, values, rules, strict
    )
    function = dataclasses.replace(self.function, variables=variables)
    return ImageModuleSpec(self.handler, function, self.interface)

  def _export_of_module(self, path: str, variables_saver: Any) -> None:
    """What `hub.Module.export` calls, here without its harm to old modules."""
    with Staging(path) as staging:
      write_module(staging.path, self.handler, variables_saver)
      staging.commit()

  def _checkpoint_for_module(self) -> str | None:
    """What `hub.Module` asks for: real weights, never random ones."""
    if not self.function.variables:
      return None
    # Variables are restored when the consumer initializes them, maybe in a
    # later session: the checkpoint lives as long as the spec.
    self._temporary = self._temporary or tempfile.TemporaryDirectory(
      prefix="hub_image_export_"
    )
    # And as long as the graph, which may outlive the spec.
    graph = tf.compat.v1.get_default_graph()
    weakref.finalize(graph, lambda directory: None, self._temporary)
    prefix = checkpoint_writer.variables_prefix(self._temporary.name)
    formats.write_variables(self.function, prefix)
    return prefix


def make_spec(function: ImageFunction, interface: Interface) -> ImageModuleSpec:
  """Makes the module of a function: the one call of `create_module_spec`."""
  with quiet():
    plain = hub.create_module_spec(
      make_module_fn(interface, function.variables),
      [(set(v.tags), {"variant": v}) for v in function.variants],
    )
  return ImageModuleSpec(private_hub.handler_of(plain), function, interface)
