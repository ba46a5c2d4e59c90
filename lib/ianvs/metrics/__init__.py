"""Metrics: functions of users on answers, and system metrics on what was observed."""

from ianvs.metrics.compute import check_metrics, compute_metrics
from ianvs.metrics.system import SYSTEM_METRICS

__all__ = ["SYSTEM_METRICS", "check_metrics", "compute_metrics"]
