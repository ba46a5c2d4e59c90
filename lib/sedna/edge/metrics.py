"""Prometheus metrics of an edge, read from the counters when somebody asks. Labels are bounded: jobs and reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sedna.common.metrics import JOB_LABELS
from sedna.common.types import JobKey
from sedna.edge.jobs import JobTable, ServedJob
from sedna.edge.spool import Spool
from sedna.edge.uploader import UploadStats

__all__ = ["EdgeMetrics", "labels_of"]

_JOB = [*JOB_LABELS]
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class EdgeMetrics(Collector):
    """All metrics of one edge worker in a registry of their own."""

    def __init__(self, jobs: JobTable, spool: Spool, uploads: Callable[[], UploadStats]) -> None:
        self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "sedna_edge_request_seconds",
            "Time from the end of an inference request's body to its answer",
            _JOB,
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._jobs = jobs
        self._spool = spool
        self._uploads = uploads
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Names alone, so that registering does not read the spool."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The current values."""
        jobs = self._jobs.all()
        yield from _job_metrics(jobs)
        yield from self._spool_metrics(jobs)
        stats = self._uploads()
        yield _counter("sedna_edge_upload_failures", "Upload attempts that failed for now", stats.failures)
        yield _counter("sedna_edge_upload_bytes", "Bytes of samples that the cloud acknowledged", stats.bytes_sent)

    def _spool_metrics(self, jobs: tuple[ServedJob, ...]) -> Iterator[Metric]:
        stats = self._spool.stats()
        yield GaugeMetricFamily("sedna_edge_spool_bytes", "Bytes that samples take on the disk", stats.bytes)
        yield GaugeMetricFamily("sedna_edge_spool_quota_bytes", "Bytes that samples may take", stats.quota_bytes)
        samples = GaugeMetricFamily("sedna_edge_spool_samples", "Samples on the disk", labels=["state"])
        for state in ("pending", "uploading", "rejected", "damaged"):
            samples.add_metric([state], getattr(stats, state))
        yield samples
        ends = CounterMetricFamily("sedna_edge_samples", "Samples by what became of them", labels=[*_JOB, "end"])
        for job in jobs:
            counts = self._spool.counts(job.key)
            for end in ("spooled", "uploaded", "rejected", "damaged", "dropped"):
                ends.add_metric([*labels_of(job.key), end], getattr(counts, end))
        yield ends


def _job_metrics(jobs: tuple[ServedJob, ...]) -> Iterator[Metric]:
    requests = CounterMetricFamily("sedna_edge_requests", "Inference requests", labels=[*_JOB, "status"])
    frames = CounterMetricFamily("sedna_edge_frames", "Images that got a prediction", labels=_JOB)
    hard = CounterMetricFamily("sedna_edge_hard", "Images that the miner found hard", labels=_JOB)
    audit = CounterMetricFamily("sedna_edge_audit", "Images drawn for audit", labels=_JOB)
    errors = CounterMetricFamily("sedna_edge_miner_errors", "Predictions on which the miner failed", labels=_JOB)
    kept = CounterMetricFamily("sedna_edge_kept", "Images kept", labels=[*_JOB, "picked"])
    skipped = CounterMetricFamily("sedna_edge_not_kept", "Picked images that were not kept", labels=[*_JOB, "reason"])
    model = GaugeMetricFamily("sedna_edge_served_version", "Model version in service, 0 = none", labels=_JOB)
    for job in jobs:
        labels, counts = labels_of(job.key), job.pipeline.counters.snapshot()
        for status, value in counts.requests.items():
            requests.add_metric([*labels, str(status)], value)
        frames.add_metric([*labels], counts.frames)
        hard.add_metric([*labels], counts.hard)
        audit.add_metric([*labels], counts.audit)
        errors.add_metric([*labels], counts.miner_errors)
        for picked, value in counts.kept.items():
            kept.add_metric([*labels, picked], value)
        for reason, value in counts.not_kept.items():
            skipped.add_metric([*labels, reason], value)
        model.add_metric([*labels], job.slot.status.version or 0)
    yield from (requests, frames, hard, audit, errors, kept, skipped, model)


def labels_of(job: JobKey) -> tuple[str, str]:
    """The values of the labels of `JOB_LABELS`."""
    return job.namespace, job.name


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, value)
