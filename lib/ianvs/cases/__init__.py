"""Test cases: which there are, what is measured of them, and what is kept of them in their folders."""

from ianvs.cases.plan import CaseId, PlannedCase, plan

__all__ = ["CaseId", "PlannedCase", "plan"]
