"""Which of the processes of one training this one is, as launchers such as torchrun say by environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sedna.common.errors import SpecError

__all__ = ["ALONE", "GROUP_DIR", "ProcessRank", "process_rank"]

GROUP_DIR = "SEDNA_GROUP_DIR"
"""Folder of this machine for what the processes of one group leave for each other and for who started them."""


@dataclass(frozen=True)
class ProcessRank:
    """Numbers count from 0; ``local`` is within this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_leader(self) -> bool:
        """Whether it is the process that reports, saves and writes for all of them."""
        return self.rank == 0


ALONE = ProcessRank()


def process_rank(environment: Mapping[str, str] | None = None) -> ProcessRank:
    """The place of this process, by RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE; `ALONE` without the first two.

    Raises:
        SpecError: they are no numbers, or do not fit together.
    """
    given = os.environ if environment is None else environment
    if not given.get("RANK") or not given.get("WORLD_SIZE"):
        return ALONE
    rank, size = _number(given, "RANK"), _number(given, "WORLD_SIZE")
    if rank >= size:
        raise SpecError(f"{rank} of {size} processes", where="RANK", hint="0 up to WORLD_SIZE - 1")
    # Without them every process may be on a machine of its own.
    local = _number(given, "LOCAL_RANK") if given.get("LOCAL_RANK") else 0
    return ProcessRank(rank, size, local, _number(given, "LOCAL_WORLD_SIZE") if given.get("LOCAL_WORLD_SIZE") else 1)


def _number(given: Mapping[str, str], name: str) -> int:
    text = given[name].strip()
    if not (text.isascii() and text.isdecimal()):
        raise SpecError(f"{text!r} is no number of a process", where=name, hint="as torchrun sets it")
    return int(text)
