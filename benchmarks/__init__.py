"""Measures fxd against peers and limits: ``python -m benchmarks [NAME…] [--quick]``."""
