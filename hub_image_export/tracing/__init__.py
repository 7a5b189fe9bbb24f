# SPDX-License-Identifier: Apache-2.0
"""From a source to a graph for each variant, and the variables they share.

`trace` runs the source once for each variant, `returned` judges what it gave,
`variants` makes a module's graphs of that, and `image_function` holds them. The
room takes from `sources`, `graph`, `weights` and what stands below them.
"""
