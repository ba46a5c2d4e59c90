"""Data sets, tasks and batches."""
