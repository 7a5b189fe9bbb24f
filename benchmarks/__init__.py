# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: what exporting and using modules costs; see docs/benchmarks.md.

python -m benchmarks.run --output=mine.json
"""
