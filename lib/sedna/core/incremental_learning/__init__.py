"""Incremental learning: `IncrementalLearning`, and the worker that needs no program (``worker``)."""

from sedna.core.incremental_learning.incremental_learning import IncrementalLearning

__all__ = ["IncrementalLearning"]
