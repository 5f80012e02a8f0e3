"""Benchmarks: each module here has `measure()`, a list of results beside a baseline of the same run."""
