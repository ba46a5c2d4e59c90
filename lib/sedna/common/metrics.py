"""What metrics of the service and of the edges have in common."""

from __future__ import annotations

from typing import Final

__all__ = ["JOB_LABELS"]

JOB_LABELS: Final = ("job_namespace", "job_name")
"""Labels of a series that is about one job.

Not ``job`` and ``namespace``: Prometheus gives each target a ``job``, its operator a ``namespace``; what clashes
with them is renamed to ``exported_job``.
"""
