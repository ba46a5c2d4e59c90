"""What an edge and the cloud tell each other, as frozen values; their JSON form is the wire form.

An edge says what it serves (`EdgeHeartbeat`), the cloud answers with what it should serve (`EdgeDesired`): levels, not
commands, so that a lost or repeated message is harmless. Unknown keys are ignored, because edges and cloud are not
updated on the same day.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from sedna.common.types import JobKey, Name, Sha256, Value

__all__ = [
    "LONGEST_BACKOFF_SECONDS",
    "DesiredJob",
    "DesiredMiner",
    "EdgeCounters",
    "EdgeDesired",
    "EdgeHeartbeat",
    "EdgeJobStatus",
    "MinerParameter",
    "ServingState",
]

LONGEST_BACKOFF_SECONDS: Final = 60.0
"""An edge that reaches nobody tries again after so long at most; the cloud waits for it accordingly."""

ServingState = Literal["empty", "loading", "serving", "failed"]
"""``empty``: no model yet. ``loading``: the first model is on its way. ``serving``: a model answers requests, also
while the next one loads. ``failed``: no model answers, and the last one tried is the reason."""

MinerParameter = str | bool | int | float


class Message(Value):
    """Base of the messages: as `Value`, but keys that only the other, newer end knows are dropped."""

    model_config = ConfigDict(extra="ignore")


class EdgeCounters(Message):
    """Counts of one job on one edge.

    The request counts start at 0 with the worker process; the spool counts live as long as the spool on disk.
    """

    requests: int = Field(default=0, ge=0, description="inference requests that were read")
    requests_failed: int = Field(default=0, ge=0, description="of these, answered with an error")
    frames: int = Field(default=0, ge=0, description="images that got a prediction")
    hard: int = Field(default=0, ge=0, description="of these, found hard by the miner")
    audit: int = Field(default=0, ge=0, description="of these, picked for random audit")
    spooled: int = Field(default=0, ge=0, description="samples that reached the spool")
    uploaded: int = Field(default=0, ge=0, description="samples that the cloud has acknowledged")
    rejected: int = Field(default=0, ge=0, description="samples that the cloud refused for good, or that were damaged")
    dropped: int = Field(default=0, ge=0, description="samples given up for want of space")
    spool_bytes: int = Field(default=0, ge=0, description="bytes of images now on the edge's disk")


class EdgeJobStatus(Message):
    """One job on one edge. ``failed_version`` was tried and given up; ``reason`` says why."""

    job: JobKey
    model_version: int | None = Field(default=None, ge=1, description="the version that answers requests")
    state: ServingState = "empty"
    failed_version: int | None = Field(default=None, ge=1)
    reason: str = ""
    counters: EdgeCounters = EdgeCounters()


class EdgeHeartbeat(Message):
    """Sent by an edge every ``heartbeat_seconds``, and at once after a change."""

    edge: Name
    software: str = Field(description="name and version of the edge software")
    at: AwareDatetime
    jobs: tuple[EdgeJobStatus, ...] = ()


class DesiredMiner(Message):
    """The registered hard example miner and its parameters."""

    name: str
    parameters: dict[str, MinerParameter] = Field(default_factory=dict)


class DesiredJob(Message):
    """What an edge should do for one job."""

    job: JobKey
    model_version: int | None = Field(default=None, ge=1, description="None: the job has no model yet")
    manifest_sha256: Sha256 | None = Field(
        default=None, description="identity of the model's manifest; a failed version is tried again when it changes"
    )
    asked: int | None = Field(
        default=None, description="round that asked for this model; another number makes an edge try a failed one again"
    )
    miner: DesiredMiner
    audit_ratio: float = Field(default=0.0, ge=0, le=1)
    audit_seed: int = 0
    class_names: tuple[str, ...] = ()
    bits_per_sample: int | None = Field(
        default=None, description="used bits of a sample of its pictures; None: as each file says"
    )
    created_at: AwareDatetime | None = Field(
        default=None,
        description="when the job was made: another time is another job of that name, which has none of the samples "
        "that were sent to the one before",
    )


class EdgeDesired(Message):
    """The cloud's answer to a heartbeat: every job of this edge. A job that is missing is no longer wanted here."""

    at: AwareDatetime
    jobs: tuple[DesiredJob, ...] = ()
    heartbeat_seconds: float = Field(default=10.0, gt=0)
