"""Builders for job descriptions and observations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sedna.loop.spec import JobSpec

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def make_spec(
    *,
    trigger: dict[str, Any] | None = None,
    gate: dict[str, Any] | None = None,
    deploy_trigger: dict[str, Any] | None = None,
    limits: dict[str, Any] | None = None,
    **more: Any,
) -> JobSpec:
    return JobSpec.model_validate(
        {
            "dataset": {"name": "boards", "trainProb": 0.8},
            "initialModel": {"name": "initial"},
            "trainSpec": {"algorithm": {"name": "FPN"}, "trigger": trigger or {}, "limits": limits or {}},
            "evalSpec": {"limits": limits or {}},
            "deploySpec": {
                "model": {"name": "serving"},
                "hardExampleMining": {"name": "IBT"},
                "gate": gate or {},
                "trigger": deploy_trigger or {},
            },
            **more,
        }
    )
