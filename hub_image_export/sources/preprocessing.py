# SPDX-License-Identifier: Apache-2.0
"""From the contract's pixels to those that a network wants.

Modules take RGB in [0, 1] (C12); what the network itself was trained on is the
module's business. The modes are those of Keras' `preprocess_input`, which
starts from [0, 255].
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable
from typing import Any, Union

import numpy as np

from hub_image_export import arguments, contract
from hub_image_export.arguments import called, shown
from hub_image_export.tensorflow_api.compat import tf
from hub_image_export.tensorflow_api.types import Tensor

Preprocess = Union[None, str, tuple[Any, Any], Callable[[Tensor], Tensor]]

# Of ImageNet's training images: RGB in [0, 1], and BGR in [0, 255].
_TORCH_MEAN = [0.485, 0.456, 0.406]
_TORCH_STD = [0.229, 0.224, 0.225]
_CAFFE_MEAN_BGR = [103.939, 116.779, 123.68]


def _tf(images: Tensor) -> Tensor:
  return images * 2.0 - 1.0


def _torch(images: Tensor) -> Tensor:
  mean, std = np.array([_TORCH_MEAN, _TORCH_STD], np.float32)
  return (images - mean) / std


def _caffe(images: Tensor) -> Tensor:
  mean = np.array(_CAFFE_MEAN_BGR, np.float32)
  return tf.reverse(images * 255.0, axis=[3]) - mean


def _0_255(images: Tensor) -> Tensor:
  return images * 255.0


_MODES = {
  "tf": (_tf, "2·x − 1, so [-1, 1]"),
  "torch": (_torch, f"(x − {_TORCH_MEAN}) / {_TORCH_STD}"),
  "caffe": (_caffe, f"BGR of 255·x, minus {_CAFFE_MEAN_BGR}"),
  "0-255": (_0_255, "255·x"),
}
MODES = tuple(_MODES)
_EXPECTED = (
  f"None, one of {', '.join(MODES)}, a pair (mean, std), or a function on the "
  "images"
)


def resolve(
  preprocess: Preprocess,
) -> Callable[[Tensor], Tensor] | None:
  """The function that does what the argument `preprocess` of a builder says.

  Args:
    preprocess: one of
      * `None`: the network takes RGB in [0, 1], as it comes;
      * a name of `MODES`;
      * `(mean, std)` in units of [0, 1], each a number or one per channel
        (R, G, B): the network takes `(x - mean) / std`;
      * a function on the images.

  Returns:
    A function from float32 `[batch_size, height, width, 3]` in [0, 1] to what
    the network takes, or None if there is nothing to do. Apart from a user's
    own function, it is plain arithmetic with a gradient, in any TensorFlow.

  Raises:
    TypeError: `preprocess` is nothing of the above.
    ValueError: an unknown name, or a pair that is not a mean and a standard
      deviation.
  """
  if preprocess is None:
    return None
  if isinstance(preprocess, str):
    return _mode(preprocess)[0]
  if isinstance(preprocess, (tuple, list)):
    mean, std = _mean_and_std(preprocess)
    return lambda images: (images - mean) / std
  _check_function(preprocess)
  return preprocess


def describe(preprocess: Preprocess) -> str:
  """What `resolve(preprocess)` does to x in [0, 1], for people to read."""
  if preprocess is None:
    return "none: RGB in [0, 1] as it comes"
  if isinstance(preprocess, str):
    return f"{preprocess}: {_mode(preprocess)[1]}"
  if isinstance(preprocess, (tuple, list)):
    _mean_and_std(preprocess)
    mean, std = (np.asarray(value).tolist() for value in preprocess)
    return f"(x − {mean}) / {std}"
  _check_function(preprocess)
  name = getattr(preprocess, "__name__", type(preprocess).__name__)
  return f"the function {name}"


def _check_function(preprocess: Any) -> None:
  arguments.check_function("preprocess", preprocess, _EXPECTED)


def _mode(name: str) -> tuple[Callable[[Tensor], Tensor], str]:
  if name in _MODES:
    return _MODES[name]
  nearest = difflib.get_close_matches(name[:20].lower(), MODES, n=1)
  hint = f". Did you mean {nearest[0]!r}?" if nearest else ""
  raise arguments.wrong_value(
    "preprocess",
    name,
    f"one of {', '.join(MODES)}, or a mean and a standard deviation{hint}",
  )


def _mean_and_std(pair: Any) -> tuple[np.ndarray, np.ndarray]:
  """Both as float32 scalars or `[3]`; ValueError for anything else."""
  if len(pair) != 2:
    raise ValueError(
      f"{called('preprocess')} is {shown(pair)}, which has {len(pair)} "
      "elements: expected the pair (mean, std), a number or one for each "
      "channel"
    )
  mean = _per_channel("mean", pair[0])
  std = _per_channel("standard deviation", pair[1])
  if np.any(std <= 0):
    raise ValueError(
      f"{called('preprocess')} has the standard deviation {shown(pair[1])}, "
      "with a zero or a negative number: expected a positive number to divide "
      "by for every channel"
    )
  if np.any((mean < 0) | (mean > contract.PIXEL_MAX)):
    raise ValueError(
      f"{called('preprocess')} has the mean {shown(pair[0])}: expected one in "
      "[0, 1], where the pixels are (C12): divide mean and standard deviation "
      "by 255"
    )
  return mean, std


def _per_channel(what: str, value: Any) -> np.ndarray:
  channels = contract.NUM_CHANNELS
  with (
    contextlib.suppress(OverflowError, TypeError, ValueError),
    np.errstate(over="ignore"),  # To infinity, which is refused below.
  ):
    given = np.asarray(value)
    array = given.astype(np.float32)
    if (
      given.dtype.kind in "iuf"
      and given.shape in ((), (channels,))
      and np.all(np.isfinite(array))
    ):
      return array
  raise ValueError(
    f"{called('preprocess')} has the {what} {shown(value)}: expected a finite "
    f"number, or {channels} of them, one per channel"
  )
