# SPDX-License-Identifier: Apache-2.0
"""`python -m tests [arguments of pytest]`, which Bazel runs each test with."""

import sys

import pytest

if __name__ == "__main__":
  sys.exit(pytest.main(sys.argv[1:]))
