"""What the demo measured, as one value object; its JSON is the ``--json`` file."""

from __future__ import annotations

from pydantic import Field, JsonValue

from sedna.common.types import Value


class RoundFigures(Value):
    """One round of the loop."""

    round: int
    trigger: str = Field(description="why the round started")
    bad_on_purpose: bool = False
    samples: int = Field(description="labelled samples in the round's dataset version, hold-out apart")
    new_samples: int = Field(description="of these, not used by an earlier round")
    outcome: str
    champion_f1: float | None = Field(description="model in service, on the frozen hold-out")
    candidate_f1: float | None = Field(description="candidate, on the frozen hold-out")
    champion_metrics: dict[str, JsonValue] = Field(default_factory=dict)
    candidate_metrics: dict[str, JsonValue] = Field(default_factory=dict)
    verdict: str
    seconds: dict[str, float] = Field(default_factory=dict, description="per stage")


class DemoFigures(Value):
    """The whole run."""

    rounds: tuple[RoundFigures, ...]
    f1_before: float = Field(description="initial model, frozen hold-out, IoU 0.5")
    f1_after: float = Field(description="model in service at the end, same boards")
    frames: int = Field(description="boards streamed for the first time")
    requests: int = Field(description="inference requests sent, steady load included")
    requests_failed: int
    samples_spooled: int = Field(description="distinct boards that an edge said it kept")
    samples_stored: int = Field(description="of these, in the object store and in the database at the end")
    samples_lost: int
    samples_hard: int
    samples_audit: int
    bytes_uploaded: int
    seconds: float
    stage_seconds: dict[str, float]
    peak_rss_mib: float = Field(description="sum over the process tree, sampled twice a second")
    model_versions: tuple[int, ...] = Field(description="that answered requests, in order of appearance")
    machine: str
    command: str
    date: str
