"""Benchmarks described by Ianvs yaml, on the loop that runs in production. Command: ``ianvs``."""
