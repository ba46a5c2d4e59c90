"""The incremental-learning loop as data and pure functions: job description, states, triggers, gate, ``decide``.

Nothing here reads a clock, a file or the network; see ``decide`` for how engines use it.
"""

from sedna.loop.audit import audit_metrics, count_sample, match_boxes
from sedna.loop.decide import decide, initial_state
from sedna.loop.evidence import Evaluation, ModelScores, SampleScore
from sedna.loop.gate import judge, paired_bootstrap
from sedna.loop.observation import (
    AuditMetrics,
    EdgeObservation,
    ManualRequest,
    Observation,
    SampleCounts,
    WorkerObservation,
    WorkerPhase,
)
from sedna.loop.spec import Dataset, IncrementalLearningJob, JobSpec, Model
from sedna.loop.split import part_of
from sedna.loop.state import JobState, Outcome, RoundKind, RoundState, RoundSummary, Stage
from sedna.loop.triggers import evaluate_trigger
from sedna.loop.verdict import Check, Comparison, Decision, DecisionKind, GateOutcome, GateVerdict, Interval

__all__ = [
    "AuditMetrics",
    "Check",
    "Comparison",
    "Dataset",
    "Decision",
    "DecisionKind",
    "EdgeObservation",
    "Evaluation",
    "GateOutcome",
    "GateVerdict",
    "IncrementalLearningJob",
    "Interval",
    "JobSpec",
    "JobState",
    "ManualRequest",
    "Model",
    "ModelScores",
    "Observation",
    "Outcome",
    "RoundKind",
    "RoundState",
    "RoundSummary",
    "SampleCounts",
    "SampleScore",
    "Stage",
    "WorkerObservation",
    "WorkerPhase",
    "audit_metrics",
    "count_sample",
    "decide",
    "evaluate_trigger",
    "initial_state",
    "judge",
    "match_boxes",
    "paired_bootstrap",
    "part_of",
]
