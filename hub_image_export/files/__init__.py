# SPDX-License-Identifier: Apache-2.0
"""Files and directories that are complete or not there, and lists of them.

The room knows nothing of TensorFlow: it takes from `arguments` and `errors`.
"""
