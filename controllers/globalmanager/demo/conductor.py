"""Plays the demo: starts the service and its edges, streams boards, asks for a bad candidate, and measures."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import JsonValue

from globalmanager.api.manifests import read_manifests
from globalmanager.api.relative_paths import resolve_paths
from globalmanager.db import rounds as round_rows
from globalmanager.db.values import RoundRow
from globalmanager.demo.collect import Collector
from globalmanager.demo.edges import EdgeProcess
from globalmanager.demo.figures import DemoFigures
from globalmanager.demo.meter import MemoryMeter
from globalmanager.demo.report import Evidence
from globalmanager.demo.scenario import Scenario
from globalmanager.demo.screen import Screen
from globalmanager.demo.traffic import Ledger, Traffic
from globalmanager.demo.watch import Watcher
from globalmanager.labelling import Oracle
from globalmanager.service.service import Service
from globalmanager.service.settings import EngineOptions, ServiceSettings
from sedna.common.errors import PermanentError, WorkerError
from sedna.common.types import JobKey
from sedna.loop.state import Outcome

JOB = JobKey(name="pcb")
EDGES = ("edge-1", "edge-2")
STEADY_BOARDS = 4
STEADY_PER_SECOND = 1.0
LABEL_SECONDS = 0.3
ROUND_SECONDS = 240.0
READY_SECONDS = 60.0
DRAIN_SECONDS = 60.0

BAD_PARAMETERS: dict[str, JsonValue] = {
    "epochs": 0,
    "max_iteration": 15,
    "learning_rate": 0.05,
    "schedule": "constant",
    "warmup_iterations": 0,
    "divergence_factor": 1000,
}
"""A learning rate far too large, and a divergence guard that is told to look away: a model that must be refused."""


@dataclass(frozen=True)
class Played:
    """What a run leaves: the figures, and what the report shows beside them."""

    figures: DemoFigures
    evidence: Evidence


class Conductor:
    """One run in one folder."""

    def __init__(self, scenario: Scenario, folder: Path, screen: Screen, command: str) -> None:
        self._scenario = scenario
        self._screen = screen
        self._folder = folder
        self._command = command
        self._ledger = Ledger()
        self._marks: dict[str, float] = {}
        self._bad_round: int | None = None

    def play(self) -> Played:
        """Run from start to end.

        Raises:
            SednaError: a part could not be started, or did not do its work in time.
        """
        started, started_at = time.monotonic(), datetime.now(UTC)
        meter = MemoryMeter(self._folder / "service" / "work")
        with ExitStack() as stack:
            meter.start()
            stack.callback(meter.stop)
            with self._timed("start"):
                service, traffic, watcher = self._start(stack)
            self._rounds(service, traffic, watcher)
            with self._timed("drain"):
                self._wait("the last samples to arrive", DRAIN_SECONDS, lambda: not watcher.missing(self._ledger.kept))
            last = watcher.champion
            self._wait("the last model to answer", READY_SECONDS, lambda: last in self._ledger.versions)
            traffic.stop()
            collector = Collector(service.api.db, service.api.store, JOB, self._scenario, self._folder / "models")
            evidence = collector.evidence(started_at)
            collected = collector.rounds(self._bad_round)
            lost = watcher.missing(self._ledger.kept)
            seconds = time.monotonic() - started
        kept = self._ledger.kept
        figures = DemoFigures(
            rounds=collected.rounds,
            f1_before=collected.f1_before,
            f1_after=collected.f1_after,
            frames=sum(len(self._scenario.parts[part]) for part in ("stream-1", "stream-2")),
            requests=self._ledger.requests,
            requests_failed=len(self._ledger.failures),
            samples_spooled=len(kept),
            samples_stored=len(kept) - len(lost),
            samples_lost=len(lost),
            samples_hard=sum(reason == "hard" for reason in kept.values()),
            samples_audit=sum(reason == "audit" for reason in kept.values()),
            bytes_uploaded=evidence.uploads[-1][1] if evidence.uploads else 0,
            seconds=round(seconds, 1),
            stage_seconds={**self._marks, **collected.stage_seconds},
            peak_rss_mib=round(meter.peak_mib, 1),
            model_versions=tuple(self._ledger.versions),
            machine=f"{platform.machine()}, {_processor()}, Python {platform.python_version()}",
            command=self._command,
            date=f"{started_at:%Y-%m-%d}",
        )
        for failure in self._ledger.failures[:5]:
            self._screen.say(f"failed request: {failure}", "red")
        return Played(figures, evidence)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _start(self, stack: ExitStack) -> tuple[Service, Traffic, Watcher]:
        self._screen.say("starting the service, embedded: SQLite, a folder as object store, local processes")
        service = Service(
            ServiceSettings(
                data_dir=self._folder / "service",
                port=0,
                engine=EngineOptions(tick_seconds=0.3, heartbeat_seconds=1.0),
            )
        )
        stack.callback(service.stop)
        service.start()
        headers = {"Authorization": f"Bearer {service.admin_token}"}
        self._api = stack.enter_context(httpx.Client(base_url=f"{service.url}/api/v1/", headers=headers, timeout=30))
        self._apply_job()
        watcher = Watcher(service.api.db, service.api.store, JOB, self._screen)
        watcher.start()
        stack.callback(watcher.stop)
        stack.enter_context(self._labelling(service))
        holdout = len(self._scenario.parts["holdout"])
        self._wait("the initial model", READY_SECONDS, lambda: watcher.champion == 1)
        # Before any board is streamed: the first round is judged on the hold-out as well.
        self._wait("the hold-out to be imported", READY_SECONDS, lambda: watcher.holdout == holdout)
        edges = [self._start_edge(stack, service, name) for name in EDGES]
        addresses = [edge.wait_address() for edge in edges]
        self._wait("both edges to serve", READY_SECONDS, lambda: watcher.serving(1) == set(EDGES))
        traffic = Traffic(addresses, JOB.name, self._ledger)
        stack.callback(traffic.stop)
        return service, traffic, watcher

    def _start_edge(self, stack: ExitStack, service: Service, name: str) -> EdgeProcess:
        token = self._post("edges", {"name": name})["token"]
        assert isinstance(token, str)
        edge = EdgeProcess.start(name, self._folder / name, service_url=service.url, token=token)
        stack.callback(edge.stop)
        return edge

    def _apply_job(self) -> None:
        described = resolve_paths(read_manifests(self._scenario.job_path), self._scenario.folder)
        bodies = [entry.model_dump(mode="json", by_alias=True, exclude_unset=True) for entry in described]
        response = self._api.post("resources", json=bodies)
        if response.is_error:
            raise PermanentError(f"the service refused the job: {response.text}", where=str(self._scenario.job_path))

    @contextmanager
    def _labelling(self, service: Service) -> Iterator[None]:
        """The oracle: it knows every board's labels, as the people in the labelling page would."""
        oracle = Oracle.from_manifest(self._scenario.manifest_path)
        ended = threading.Event()
        errors: list[BaseException] = []

        def work() -> None:
            try:
                while not ended.wait(LABEL_SECONDS):
                    if oracle.label(service.api.db, JOB, datetime.now(UTC)):
                        service.engine.wake()
            except BaseException as error:
                errors.append(error)
                raise

        thread = threading.Thread(target=work, name="oracle", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        if errors:
            raise errors[0]

    def _rounds(self, service: Service, traffic: Traffic, watcher: Watcher) -> None:
        scenario = self._scenario
        # Through all rounds: a swap that drops a request is only seen while requests run.
        traffic.start_steady(scenario.paths("stream-1")[:STEADY_BOARDS], per_second=STEADY_PER_SECOND)
        self._stream(traffic, "stream-1")
        self._finish_round(service, watcher, 1)
        self._screen.say("asking for a candidate that is bad on purpose: learning rate far too high", "yellow")
        reason = "demo: a candidate made bad on purpose, which the gate must reject"
        self._post(f"jobs/{JOB}/triggers", {"action": "train", "reason": reason, "parameters": BAD_PARAMETERS})
        self._bad_round = 2
        rejected = self._finish_round(service, watcher, 2)
        # The demo shows a gate; one that lets this candidate through must not end with a green report.
        if rejected.outcome is not Outcome.REJECTED:
            raise PermanentError(f"the bad candidate was not rejected but {rejected.outcome}", where="round 2")
        self._stream(traffic, "stream-2")
        self._finish_round(service, watcher, 3)

    def _stream(self, traffic: Traffic, part: str) -> None:
        boards = self._scenario.paths(part)
        self._screen.say(f"{part}: {len(boards)} boards to {len(EDGES)} edges")
        total = sum(len(self._scenario.parts[name]) for name in ("stream-1", "stream-2"))
        done = self._screen.frames[0]
        self._screen.frames = (done, total)

        def progress(sent: int) -> None:
            self._screen.frames = (done + sent, total)

        with self._timed(part):
            traffic.stream(boards, progress)

    def _finish_round(self, service: Service, watcher: Watcher, round_id: int) -> RoundRow:
        self._wait(f"round {round_id} to end", ROUND_SECONDS, lambda: watcher.ended(round_id))
        with service.api.db.read() as session:
            row = round_rows.get(session, watcher.job().id, round_id)
        if row.outcome is Outcome.FAILED:
            raise WorkerError(f"round {round_id} failed: {row.outcome_reason}", where=str(JOB))
        return row

    # --- helpers -----------------------------------------------------------------------------------------------------

    def _post(self, path: str, body: dict[str, JsonValue]) -> dict[str, JsonValue]:
        response = self._api.post(path, json=body)
        if response.is_error:
            raise PermanentError(f"the service answered {response.status_code}: {response.text}", where=path)
        answer: dict[str, JsonValue] = response.json()
        return answer

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._marks[name] = round(time.monotonic() - started, 1)

    @staticmethod
    def _wait(what: str, seconds: float, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise WorkerError(
                    f"waited {seconds:.0f} s for {what}", hint="the log above and the folder's logs say why"
                )
            time.sleep(0.1)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
