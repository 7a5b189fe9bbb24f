# SPDX-License-Identifier: Apache-2.0
"""Modules in TF1 Hub format: assembled, written, verified, described.

`assembly.build` is what all builders do; `spec` is the module that they give,
`exporting` the procedure that puts it on the disk. The room takes from
`tracing`, `sources`, `graph`, `weights`, `checker` (only that it checks),
`files` and what stands below them.
"""
