# SPDX-License-Identifier: Apache-2.0
"""The Python 3.7 with TensorFlow 1.15 and hub 0.12, where one can be had.

  python3.7 -m venv tf115
  tf115/bin/pip install tensorflow==1.15.5 'tensorflow-hub==0.12.*' \\
      'protobuf<3.21' 'scikit-learn==1.0.*'
  HIE_TF115_PYTHON=tf115/bin/python python -m pytest
"""

from __future__ import annotations

import os

import pytest

PYTHON = os.environ.get("HIE_TF115_PYTHON")

SKIP = pytest.mark.skipif(
  not PYTHON,
  reason="HIE_TF115_PYTHON does not name a Python 3.7 with TF 1.15 and hub.",
)


def needs_tf115(test):
  """Marks a test: it is slow, and skipped where there is no TF 1.15."""
  return pytest.mark.slow(SKIP(test))
