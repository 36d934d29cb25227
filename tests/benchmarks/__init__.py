"""Benchmarks: ratios, both sides in one run, medians of several. `make bench` runs them; no test asserts on time."""
