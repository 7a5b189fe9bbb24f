# SPDX-License-Identifier: Apache-2.0
"""TensorFlow, TensorFlow Hub and Keras, on each of their versions.

`tf` and `hub` come from `compat` alone. What the package uses of them that is
no public API stands in this room and nowhere else: `private` (TensorFlow and
Python), `private_hub`, `keras_packages`, `protos`. It takes nothing from the
rest of the package.
"""
