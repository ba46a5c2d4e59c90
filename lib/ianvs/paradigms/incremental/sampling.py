"""Hard examples of a stream: kept as files, used once, replayed if asked for."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from ianvs.grammar.testenv import Replay
from sedna.common.errors import DataError
from sedna.common.types import Picked
from sedna.loop import SampleCounts


@dataclass(frozen=True)
class HardExample:
    """A sample that an edge kept, with the label that the index gives it. ``size`` in bytes."""

    original: str
    copy: str
    label: Any
    edge: str
    picked: Picked
    size: int

    @property
    def line(self) -> str:
        """Its line of a training index."""
        return f"{self.copy} {self.label}"

    @classmethod
    def keep(cls, sample: str, label: Any, folder: Path, edge: str, picked: Picked) -> Self:
        """Copy the file into ``folder``; a name that is taken gets a number, so that no sample replaces another.

        Raises:
            DataError: the sample is no file.
        """
        source = Path(sample)
        if not source.is_file():
            raise DataError(
                "a hard example is no file", where=sample, hint="incremental learning needs one file a sample"
            )
        target = folder / source.name
        copies = 1
        while target.exists():
            copies += 1
            target = folder / f"{source.stem}-{copies}{source.suffix}"
        shutil.copy(source, target)
        return cls(sample, str(target), label, edge, picked, target.stat().st_size)


class SamplePool:
    """Hard examples in order of arrival: the unused ones, and those that earlier rounds used."""

    def __init__(self, replay: Replay | None) -> None:
        self._replay = replay
        self._unused: list[HardExample] = []
        self._used: list[HardExample] = []
        self._oldest: datetime | None = None
        # Its own generator: what user code draws must not decide what is replayed. It is pickled with the pool.
        self._draw = random.Random(replay.seed if replay is not None else 0)

    def add(self, samples: Sequence[HardExample], now: datetime) -> None:
        """Samples that were labelled ``now``."""
        if samples and self._oldest is None:
            self._oldest = now
        self._unused += samples

    def counts(self, judging: int) -> SampleCounts:
        """What a trigger sees; ``judging`` samples wait to judge a candidate."""
        return SampleCounts(
            train_new=len(self._unused),
            eval_new=judging,
            train_total=len(self._unused) + len(self._used),
            oldest_new_at=self._oldest,
        )

    def take(self) -> tuple[list[HardExample], list[HardExample]]:
        """The unused samples, which count as used now, and earlier ones to replay."""
        new, earlier = self._unused, self._used
        replayed: list[HardExample] = []
        if self._replay is not None:
            wanted = len(earlier) if self._replay.samples == "all" else min(self._replay.samples, len(earlier))
            replayed = self._draw.sample(earlier, wanted) if wanted < len(earlier) else list(earlier)
        self._unused, self._used, self._oldest = [], [*earlier, *new], None
        return new, replayed
