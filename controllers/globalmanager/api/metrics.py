"""Prometheus metrics: requests as they end, jobs and edges as the database knows them when asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from globalmanager.api.services import ApiServices, ClusterHealth
from globalmanager.db import edges, jobs, samples
from globalmanager.db.values import EdgeRow, JobRow
from sedna.common.errors import TemporaryError
from sedna.common.metrics import JOB_LABELS
from sedna.loop.observation import SampleCounts

__all__ = ["Metrics"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_JOB = [*JOB_LABELS]


class Metrics:
    """A registry of its own, so that two services in one process (tests) do not mix."""

    def __init__(self, services: ApiServices) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sedna_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "sedna_http_request_duration_seconds",
            "Time from the request's head to the end of the answer.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._registry.register(_ServiceCollector(services))

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; ``route`` is a template, so that the number of series is bounded."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """The exposition text."""
        return generate_latest(self._registry)


class _ServiceCollector(Collector):
    """Asks the database at every scrape: the numbers are right also after a restart."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def describe(self) -> Iterator[Metric]:
        yield from ()

    def collect(self) -> Iterator[Metric]:
        services = self._services
        running = int(services.engine.running)
        yield GaugeMetricFamily("sedna_engine_up", "1 while this process drives the jobs.", running)
        health = services.cluster_health()
        if health is not None:
            yield from _cluster_metrics(health)
        try:
            with services.db.read() as session:
                rows = jobs.list_all(session)
                unused = [samples.counts(session, row.id) for row in rows]
                known_edges = edges.list_all(session)
        # The scrape answers all the same: that the database is away is what the metrics have to say.
        except TemporaryError:
            yield GaugeMetricFamily("sedna_database_up", "1 while the database answers.", 0)
            return
        yield GaugeMetricFamily("sedna_database_up", "1 while the database answers.", 1)
        yield from _job_metrics(rows, unused)
        yield from self._edge_metrics(known_edges)

    def _edge_metrics(self, known: tuple[EdgeRow, ...]) -> Iterator[Metric]:
        since = self._services.clock.now() - timedelta(seconds=self._services.engine_settings.live_seconds)
        live = GaugeMetricFamily("sedna_edge_up", "1 while the edge sends heartbeats.", labels=["edge"])
        model = GaugeMetricFamily("sedna_edge_model_version", "What the edge serves.", labels=["edge", *_JOB])
        counters: dict[str, GaugeMetricFamily] = {}
        for edge in known:
            live.add_metric([edge.name], float(edge.last_seen_at is not None and edge.last_seen_at >= since))
            for status in edge.jobs:
                labels = [edge.name, status.job.namespace, status.job.name]
                if status.model_version is not None:
                    model.add_metric(labels, status.model_version)
                for name, value in status.counters.items():
                    if isinstance(value, int | float):
                        family = counters.setdefault(name, _reported(name))
                        family.add_metric(labels, value)
        yield from (live, model, *counters.values())


def _cluster_metrics(health: ClusterHealth) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "sedna_operator_watch_age_seconds",
        "Since the quietest stream of the API server was heard; streams end and begin every 300 s.",
        health.watch_age_seconds,
    )
    yield GaugeMetricFamily("sedna_operator_synced", "1 once everything was listed.", int(health.synced))
    yield CounterMetricFamily(
        "sedna_operator_watch_restarts", "How often the watch failed and was started again.", health.watch_restarts
    )
    yield GaugeMetricFamily("sedna_operator_queue_objects", "Objects to be looked at, now or later.", health.waiting)
    yield GaugeMetricFamily("sedna_operator_failing_objects", "Objects whose last look failed.", health.failing)
    looks = CounterMetricFamily(
        "sedna_operator_reconciles",
        "Looks at objects; outcome ok, stale (changed meanwhile), later (not now) or error.",
        labels=["kind", "outcome"],
    )
    for labels, number in sorted(health.reconciles.items()):
        looks.add_metric(labels, number)
    yield looks


def _reported(name: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(
        f"sedna_edge_reported_{name}", f"Last reported by the edge: {name}.", labels=["edge", *_JOB]
    )


def _job_metrics(rows: tuple[JobRow, ...], unused: list[SampleCounts]) -> Iterator[Metric]:
    phase = GaugeMetricFamily("sedna_job_phase_info", "1 for the phase that the job is in.", labels=[*_JOB, "phase"])
    kept = GaugeMetricFamily("sedna_job_samples", "Samples of the job.", labels=[*_JOB, "part"])
    fresh = GaugeMetricFamily(
        "sedna_job_unused_samples", "Labelled samples that no round has used.", labels=[*_JOB, "part"]
    )
    champion = GaugeMetricFamily("sedna_job_model_version", "The model version in service.", labels=_JOB)
    failures = GaugeMetricFamily("sedna_job_failed_rounds_in_a_row", "Rounds that failed in a row.", labels=_JOB)
    for row, counts in zip(rows, unused, strict=True):
        labels = [row.key.namespace, row.key.name]
        phase.add_metric([*labels, row.phase], 1)
        totals = row.totals
        parts = (("train", totals.train), ("eval", totals.eval), ("holdout", totals.holdout))
        for part, number in (*parts, ("unlabelled", totals.unlabelled)):
            kept.add_metric([*labels, part], number)
        fresh.add_metric([*labels, "train"], counts.train_new)
        fresh.add_metric([*labels, "eval"], counts.eval_new)
        failures.add_metric(labels, row.state.failures)
        if row.state.champion is not None:
            champion.add_metric(labels, row.state.champion)
    yield from (phase, kept, fresh, champion, failures)
