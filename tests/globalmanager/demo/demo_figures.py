"""Figures as a good run leaves them."""

from __future__ import annotations

from typing import Any

from globalmanager.demo.figures import DemoFigures, RoundFigures


def round_figures(number: int, outcome: str, before: float, after: float) -> RoundFigures:
    return RoundFigures(
        round=number,
        trigger="condition: num_of_samples = 56, >= 48",
        bad_on_purpose=outcome == "Rejected",
        samples=80,
        new_samples=40,
        outcome=outcome,
        champion_f1=before,
        candidate_f1=after,
        verdict="f1 changes <b>a lot</b>",
        seconds={"Training": 20.0, "Evaluating": 5.0},
    )


def demo_figures(**changes: Any) -> DemoFigures:
    rounds = (
        round_figures(1, "Deployed", 0.57, 0.74),
        round_figures(2, "Rejected", 0.74, 0.0),
        round_figures(3, "Deployed", 0.74, 0.81),
    )
    values: dict[str, Any] = {
        "rounds": rounds, "f1_before": 0.57, "f1_after": 0.81, "frames": 160, "requests": 600, "requests_failed": 0,
        "samples_spooled": 160, "samples_stored": 160, "samples_lost": 0, "samples_hard": 130, "samples_audit": 30,
        "bytes_uploaded": 600_000, "seconds": 150.0, "stage_seconds": {"start": 8.0, "round 1 training": 20.0},
        "peak_rss_mib": 1500.0, "model_versions": (1, 2, 4), "machine": "test", "command": "sedna demo",
        "date": "2026-01-01",
    }  # fmt: skip
    return DemoFigures(**{**values, **changes})
