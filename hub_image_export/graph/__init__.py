# SPDX-License-Identifier: Apache-2.0
"""GraphDef in, GraphDef out: what has to change before a graph is a module's.

Functions are inlined, state and random numbers become a module's, gradients
and ops what any TensorFlow has (`portability`). The room knows nothing of
sources or files: it takes from `contract`, `untrusted` and `tensorflow_api`.
"""
