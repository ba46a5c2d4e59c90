"""Incremental learning, and what only it uses: the loop's driver, the calls of the basemodel, samples and versions."""

from ianvs.paradigms.incremental.paradigm import run

__all__ = ["run"]
