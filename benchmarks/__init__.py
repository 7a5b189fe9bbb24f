"""Benchmarks: what exporting and using modules costs; see docs/benchmarks.md.

python -m benchmarks.run --output=benchmarks/results/tf215.json
python -m benchmarks.page
"""
