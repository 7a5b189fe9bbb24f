# SPDX-License-Identifier: Apache-2.0
"""An image module as a plain object: images in, NumPy out."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from hub_image_export import arguments, contract
from hub_image_export.serving import pixels
from hub_image_export.serving.loaded_module import LoadedModule
from hub_image_export.serving.resizing import Resizer

BATCH_SIZE = 32


class Row(NamedTuple):
  """What a module says of one image.

  Attributes:
    values: `float32`, the output without its batch dimension; None if the
      image could not be used.
    error: why not; None if it could.
  """

  values: np.ndarray | None
  error: str | None


@dataclasses.dataclass(frozen=True)
class Description:
  """What a module says of itself.

  Attributes:
    path: from which it was opened.
    image_size: height and width to which images are resized (C16).
    signatures: names of outputs, by the name of the signature (C1, C10).
    task: that of the default signature (C9), or None: it is known by no name.
    labels: names of the classes in the order of their indices, or None (C8).
    activation: what makes scores of the logits, "softmax" or "sigmoid"; None
      where the module does not say (C8).
    resize: how images are brought to the size.
  """

  path: str
  image_size: tuple[int, int]
  signatures: Mapping[str, tuple[str, ...]]
  task: str | None
  labels: list[str] | None
  activation: str | None
  resize: str


class ImageModule:
  """A module in memory, with one session for its whole life.

  `open_module` makes it. Threads may share it. It is a context manager, which
  closes it; a process that ends need not.

  Attributes:
    path, image_size, signatures, task, labels, activation, resize: see
      `Description`.
  """

  def __init__(
    self,
    description: Description,
    module: LoadedModule,
    resizer: Resizer,
    threads: int,
    resources: contextlib.ExitStack,
  ) -> None:
    self.path, self.resize = description.path, description.resize
    self.image_size = description.image_size
    self.signatures = description.signatures
    self.task, self.labels = description.task, description.labels
    self.activation = description.activation
    self._open: tuple[LoadedModule, Resizer] | None = (module, resizer)
    self._threads, self._resources = threads, resources

  def __repr__(self) -> str:
    return f"<ImageModule {self.path!r} {self.image_size} {self.signatures}>"

  def __call__(
    self,
    images: Any,
    *,
    signature: str | None = None,
    output: str = contract.DEFAULT_OUTPUT,
    batch_size: int = BATCH_SIZE,
  ) -> np.ndarray:
    """One of the module's outputs for images of any kind and number.

    Args:
      images: a list (or other iterable) of images, a batch `[batch_size,
        height, width, 3]`, or one image. An image is a uint8 array, a float
        array in [0, 1] (C12), the path of a file, the content of one, or an
        image of Pillow's. They are resized to `image_size` as need be (C16).
      signature: "image_feature_vector", say; by default the primary task's.
      output: key of an output of the signature: "default", or an endpoint.
      batch_size: of the images that are in memory and run together.

    Returns:
      `float32 [number of images, …]`; logits for classifiers (C7).

    Raises:
      ValueError: there is no such output, or an image cannot be used: it is
        named by its index, and its path.
      ImportError: images have to be decoded, and Pillow is not installed.
    """
    shape = self.output_shape(signature, output)
    found: list[np.ndarray] = []
    given = _Numbered(pixels.each(images))
    for row in self.rows(
      given, signature=signature, output=output, batch_size=batch_size
    ):
      if row.values is None:
        raise ValueError(given.message(len(found), row.error))
      found.append(row.values)
    return np.stack(found) if found else np.zeros((0, *shape), np.float32)

  def rows(
    self,
    images: Iterable[Any],
    *,
    signature: str | None = None,
    output: str = contract.DEFAULT_OUTPUT,
    batch_size: int = BATCH_SIZE,
  ) -> Iterator[Row]:
    """One row for each image, in order; a broken image is a row, no exception.

    The images may be more than memory holds: they are taken, decoded by
    several threads and run in batches, as rows are asked for.

    Args:
      images, signature, output, batch_size: as for a call.

    Raises:
      ValueError, TypeError, ImportError: what would be wrong with any image.
    """
    arguments.check_size("batch_size", batch_size)
    tensor = self._output(signature, output)
    return self._rows(pixels.each(images), tensor, batch_size)

  def _rows(
    self, images: Iterable[Any], tensor: Any, batch_size: int
  ) -> Iterator[Row]:
    ready = _ahead(self._ready, images, self._threads, 2 * batch_size)
    while batch := list(itertools.islice(ready, batch_size)):
      good = [item for item in batch if not isinstance(item, str)]
      values = iter(self._run(tensor, np.stack(good)) if good else ())
      for item in batch:
        if isinstance(item, str):
          yield Row(None, item)
        else:
          yield Row(next(values), None)

  def _ready(self, image: Any) -> np.ndarray | str:
    """The image as the module wants it, or what is wrong with it."""
    with self._loaded() as (_, resizer):
      try:
        return resizer(pixels.of(image))
      except (ValueError, TypeError) as error:
        return str(error)

  def _run(self, tensor: Any, images: np.ndarray) -> np.ndarray:
    with self._loaded() as (module, _):
      return module.run(tensor, images)

  def is_classifier(self, signature: str | None = None) -> bool:
    """Whether the signature's main output are the logits of classes (C6)."""
    name = self._signature(signature)
    task = self.task if name == contract.DEFAULT_SIGNATURE else name
    return task == contract.IMAGE_CLASSIFICATION

  def output_shape(
    self, signature: str | None = None, output: str = contract.DEFAULT_OUTPUT
  ) -> tuple[int, ...]:
    """The shape of an output for one image: `(num_features,)`, mostly."""
    shape = self._output(signature, output).shape.as_list()[1:]
    return tuple(-1 if size is None else size for size in shape)

  def _output(self, signature: str | None, output: str) -> Any:
    name = self._signature(signature)
    arguments.check_choice("output", output, self.signatures[name])
    with self._loaded() as (module, _):
      return module.outputs[f"{name}/{output}"]

  def _signature(self, given: str | None) -> str:
    name = contract.DEFAULT_SIGNATURE if given is None else given
    return arguments.check_choice("signature", name, sorted(self.signatures))

  @contextlib.contextmanager
  def _loaded(self) -> Iterator[tuple[LoadedModule, Resizer]]:
    """What runs; another thread may close it meanwhile, as ends sessions."""
    closed = "the module is closed: open it again"
    loaded = self._open
    if loaded is None:
      raise ValueError(closed)
    try:
      yield loaded
    except Exception as error:
      if self._open is None:
        raise ValueError(closed) from error
      raise

  def close(self) -> None:
    """Gives its memory back; closing it twice is fine.

    What other threads have it run meanwhile ends with a ValueError.
    """
    self._open = None
    self._resources.close()

  def __enter__(self) -> ImageModule:
    return self

  def __exit__(self, *unused_exception: object) -> None:
    self.close()


class _Numbered:
  """An iterable of images that knows how messages tell of each."""

  def __init__(self, images: Iterable[Any]) -> None:
    self._images = images
    self._texts: list[str] = []

  def __iter__(self) -> Iterator[Any]:
    for image in self._images:
      shape = getattr(image, "shape", None)
      text = arguments.shown(image) if shape is None else f"of shape {shape}"
      self._texts.append(text)
      yield image

  def message(self, number: int, error: str | None) -> str:
    return f"images[{number}] is {self._texts[number]}: {error}"


def _ahead(
  function: Callable[[Any], Any], items: Iterable[Any], threads: int, most: int
) -> Iterator[Any]:
  """`map`, by several threads, `most` items ahead of who asks."""
  if threads == 1:
    yield from map(function, items)
    return
  items = iter(items)
  with concurrent.futures.ThreadPoolExecutor(threads) as pool:
    try:
      pending = collections.deque(
        pool.submit(function, item) for item in itertools.islice(items, most)
      )
      while pending:
        result = pending.popleft().result()
        for item in itertools.islice(items, 1):
          pending.append(pool.submit(function, item))
        yield result
    finally:
      for future in pending:
        future.cancel()
