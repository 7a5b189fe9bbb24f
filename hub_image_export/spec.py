"""`ImageModuleSpec`: a module that knows its weights and exports itself."""

from __future__ import annotations

import os
import tempfile
import weakref
from typing import Any

from hub_image_export import contract, verification, weights
from hub_image_export.checker import Report, check_module
from hub_image_export.compat import (
  hub,
  module_def_pb2,
  native_module,
  quiet,
  run_eagerly,
  saved_model_pb2,
  tf,
)
from hub_image_export.errors import CheckError
from hub_image_export.image_function import ImageFunction
from hub_image_export.module_graph import Interface, make_module_fn
from hub_image_export.publishing import golden, manifest
from hub_image_export.staging import Staging
from hub_image_export.summary import Summary


class ImageModuleSpec(native_module._ModuleSpec):  # pylint: disable=protected-access
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
    super().__init__(handler, checkpoint_variables_path=None)
    self.function = function
    self.interface = interface
    self._temporary: tempfile.TemporaryDirectory | None = None

  def export(  # pylint: disable=arguments-differ
    self,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    verify: bool = True,
    check: bool = False,
  ) -> Summary:
    """Writes the module to the directory `path`.

    The module carries a manifest, the names of its classes and, if it was
    verified, a golden example; the same model gives the same bytes each time.

    The module is written beside `path` and renamed into place when it is
    complete and verified: whatever fails, nothing is left behind, and nothing
    that existed has changed (F6).

    Args:
      path: a local directory that does not exist; missing parents are made.
      overwrite: replace a module that is there. Off by default, because
        published versions are immutable (F6).
      verify: load the module, and compare each output of its inference
        variant with the source's. On by default: it costs about as much as
        loading the module once.
      check: let `check_module` judge the module before it is put into place,
        and fail on errors. Off by default: it takes a process of its own,
        and several times what verification takes.

    Returns:
      What was written: sizes, signatures, largest differences.

    Raises:
      ExportError: `path` exists or cannot be written.
      WeightsError: variables are NaN or infinite.
      VerificationError: the module does not compute what the source does.
      CheckError: the module breaks the contract.
    """
    return run_eagerly(
      lambda: self._export_eagerly(path, overwrite, verify, check)
    )

  def _export_eagerly(
    self,
    path: str | os.PathLike[str],
    overwrite: bool,
    verify: bool,
    check: bool,
  ) -> Summary:
    summary = Summary.start(self)
    staging = Staging(path, overwrite=overwrite)
    weights.check_finite(self.function.variables)
    with staging:
      with summary.phase("write"):
        self._write(staging.path, self._write_variables)
        manifest.write_labels(staging.path, self.interface.labels)
      if verify:
        with summary.phase("verify"):
          summary.differences = self._verify(staging.path)
      with summary.phase("manifest"):
        manifest.write_manifest(staging.path, self)
      if check:
        with summary.phase("check"):
          summary.report = _check(staging.path)
      summary.finish(os.fspath(path), staging.path, verified=verify)
      staging.commit()
    return summary

  def _verify(self, path: str) -> list[verification.Difference]:
    """Verifies the module, and lets it give its golden example."""
    size = self.interface.height, self.interface.width
    extra = manifest.extra_assets(path)
    return verification.verify(
      path, self, then=lambda module: golden.record(extra, module, size)
    )

  def _write_variables(self, prefix: str | bytes) -> None:
    prefix = os.fsdecode(prefix)
    run_eagerly(
      lambda: weights.write_checkpoint(prefix, self.function.variables)
    )

  def _write(self, directory: str, write_variables) -> None:
    try:
      self._saved_model_handler.export(directory, write_variables)
    except tf.errors.OpError as error:
      # TensorFlow's own writers: the disk is full, say.
      raise OSError(error.message) from error
    _make_reproducible(os.path.join(directory, contract.SAVED_MODEL_FILE))
    module_def = module_def_pb2.ModuleDef()
    module_def.format = module_def_pb2.ModuleDef.FORMAT_V3
    path = os.path.join(directory, contract.MODULE_DEF_FILE)
    with open(path, "wb") as file:
      file.write(module_def.SerializeToString())

  def _export(self, path: Any, variables_saver: Any) -> None:
    """What `hub.Module.export` calls, here without its harm to old modules."""
    with Staging(os.fsdecode(path)) as staging:
      self._write(staging.path, variables_saver)
      staging.commit()

  def _create_impl(self, name: str, trainable: bool, tags: Any) -> Any:
    """What `hub.Module` calls: with real weights, never with random ones."""
    if self.function.variables:
      # Variables are restored when the consumer initializes them, maybe in a
      # later session: the checkpoint lives as long as the spec.
      self._temporary = self._temporary or tempfile.TemporaryDirectory(
        prefix="hub_image_export_"
      )
      # And as long as the graph, which may outlive the spec.
      graph = tf.compat.v1.get_default_graph()
      weakref.finalize(graph, lambda directory: None, self._temporary)
      prefix = weights.variables_prefix(self._temporary.name)
      self._write_variables(prefix)
      self._checkpoint_variables_path = prefix
    return super()._create_impl(name, trainable, tags)


def make_spec(function: ImageFunction, interface: Interface) -> ImageModuleSpec:
  """Makes the module of a function: the one call of `create_module_spec`."""
  with quiet():
    plain = hub.create_module_spec(
      make_module_fn(interface, function.variables),
      [(set(v.tags), {"variant": v}) for v in function.variants],
    )
  return ImageModuleSpec(plain._saved_model_handler, function, interface)  # pylint: disable=protected-access


def _check(path: str) -> Report:
  report = check_module(path)
  if report.errors:
    found = "; ".join(
      f"{finding.rule}: {finding.message}" for finding in report.errors[:5]
    )
    raise CheckError(
      f"the module breaks the contract, and is not written: {found}"
    )
  return report


def _make_reproducible(path: str) -> None:
  """Writes a SavedModel proto again, with its maps in the order of the keys."""
  proto = saved_model_pb2.SavedModel()
  with open(path, "rb") as file:
    proto.ParseFromString(file.read())
  with open(path, "wb") as file:
    file.write(proto.SerializeToString(deterministic=True))
