# SPDX-License-Identifier: Apache-2.0
"""TensorFlow without Keras, for processes that build no models.

TensorFlow imports Keras, and Keras whatever it finds of scikit-learn, pandas
and matplotlib: half of the time, and half of the modules. TensorFlow itself
needs none of it (since 2.6, when Keras left it), and takes its absence for
a choice: it asks for these packages where an ImportError may follow.
tensorflow_hub wants one class of Keras, and one of the estimators, to inherit
from: `compat` has stand-ins for both.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

# Keras, and what the copy of it in TensorFlow takes if it is there.
_LEFT_OUT = ("keras", "tf_keras", "scipy")


@contextlib.contextmanager
def left_out() -> Iterator[None]:
  """Leaves them out of what is imported in the block: TensorFlow, for one.

  Who asks for Keras afterwards gets it, as a SavedModel with an optimizer does.
  """
  for name in _LEFT_OUT:
    sys.modules[name] = None  # type: ignore[assignment]
  try:
    yield
  finally:
    for name in _LEFT_OUT:
      sys.modules.pop(name, None)


def is_left_out() -> bool:
  return "keras" in sys.modules and sys.modules["keras"] is None
