"""What a test case costs: memory, processor time, energy."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ianvs.cases.measurements import Stopwatch

POWERCAP = Path("/sys/class/powercap")


def peak_memory_bytes() -> int:
    """Largest resident set of this process or of one of its ended children."""
    # ru_maxrss is in bytes on macOS and in KiB elsewhere.
    unit = 1 if sys.platform == "darwin" else 1024
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(usage.ru_maxrss for usage in usages) * unit


def cpu_seconds() -> float:
    """Processor seconds of this process and its ended children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@dataclass(frozen=True)
class Energy:
    """Energy in joules, None where it is not known, and how it was measured."""

    joules: float | None
    source: str


class EnergyMeter:
    """Energy since it was made: the counters of the processors' packages, or an estimate.

    Counters are the whole machine's, so test cases that run side by side share them.

    Args:
        core_watts: what a busy core draws; used when there are no readable counters.
        root: where the counters are.
    """

    def __init__(self, core_watts: float | None, root: Path = POWERCAP) -> None:
        self._core_watts = core_watts
        # One colon is a package; two are its cores or its memory, which the package counts already.
        self._zones = [zone for zone in sorted(root.glob("intel-rapl:*")) if zone.name.count(":") == 1]
        self._started = _counters(self._zones)
        self._cpu = cpu_seconds()

    def read(self) -> Energy:
        """The energy until now."""
        ended = _counters(self._zones)
        if self._started and len(ended) == len(self._started):
            joules = 0.0
            for zone, before, after in zip(self._zones, self._started, ended, strict=True):
                # The counter starts again at 0 from its range on, every hour or so of a busy server.
                joules += (after - before if after >= before else after - before + _wraps_at(zone)) / 1e6
            return Energy(joules, "package counters of the whole machine")
        if self._core_watts is None:
            return Energy(None, "not measured: no readable energy counters, and no core_watts given")
        seconds = cpu_seconds() - self._cpu
        return Energy(seconds * self._core_watts, f"estimated: busy seconds x {self._core_watts:g} W")


def _counters(zones: list[Path]) -> list[int]:
    """Microjoules of each zone; empty if one cannot be read."""
    try:
        return [int((zone / "energy_uj").read_text()) for zone in zones]
    except (OSError, ValueError):
        return []


def _wraps_at(zone: Path) -> int:
    return int((zone / "max_energy_range_uj").read_text())


@dataclass(frozen=True)
class ResourceUsage:
    """What a test case used: seconds of wall clock, in the algorithm, and of processors; bytes; joules."""

    seconds: float = 0.0
    algorithm_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0
    energy: Energy = Energy(0.0, "")


class CaseMeter:
    """Measures the resources of a test case over all processes that worked on it.

    Args:
        watch: counts the seconds inside the algorithm.
    """

    def __init__(self, core_watts: float | None, watch: Stopwatch) -> None:
        self._watch = watch
        self._energy = EnergyMeter(core_watts)
        self._started, self._cpu = time.perf_counter(), cpu_seconds()
        self._earlier = ResourceUsage()

    def carry(self, earlier: ResourceUsage) -> None:
        """Go on from what an earlier process used."""
        self._earlier = earlier

    def energy(self) -> Energy:
        """The energy until now; not known if it was not known to an earlier process."""
        now, before = self._energy.read(), self._earlier.energy.joules
        joules = None if now.joules is None or before is None else now.joules + before
        return Energy(joules, now.source)

    def usage(self) -> ResourceUsage:
        """Everything until now."""
        return ResourceUsage(
            seconds=self._earlier.seconds + time.perf_counter() - self._started,
            algorithm_seconds=self._earlier.algorithm_seconds + self._watch.inside,
            cpu_seconds=self._earlier.cpu_seconds + cpu_seconds() - self._cpu,
            peak_memory_bytes=max(self._earlier.peak_memory_bytes, peak_memory_bytes()),
            energy=self.energy(),
        )
