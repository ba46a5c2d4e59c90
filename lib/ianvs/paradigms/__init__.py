"""Paradigms, one file each. ``paradigm_of`` imports the one that is asked for."""

from __future__ import annotations

from ianvs.grammar.algorithm import SUPPORTED_PARADIGMS
from ianvs.paradigms.base import Case, CaseProgress, Paradigm, ParadigmResult
from sedna.common.errors import SpecError

__all__ = ["Case", "CaseProgress", "Paradigm", "ParadigmResult", "paradigm_of"]


def paradigm_of(name: str) -> Paradigm:
    """The paradigm of a name that `ianvs.grammar` accepted."""
    if name == "singletasklearning":
        from ianvs.paradigms import singletask

        return singletask.run
    if name == "incrementallearning":
        from ianvs.paradigms import incremental

        return incremental.run
    if name == "lifelonglearning":
        from ianvs.paradigms import lifelong

        return lifelong.run
    raise SpecError(f"paradigm {name!r} is not supported", hint=", ".join(SUPPORTED_PARADIGMS))
