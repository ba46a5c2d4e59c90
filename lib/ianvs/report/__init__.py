"""One self-contained page about a benchmark."""

from ianvs.report.page import write_report

__all__ = ["write_report"]
