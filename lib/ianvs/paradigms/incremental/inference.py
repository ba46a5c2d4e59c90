"""One inference pass over a piece of the stream: predict, mine, draw for audit, keep what is picked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ianvs.paradigms.incremental.estimator import EstimatorJob
from ianvs.paradigms.incremental.sampling import HardExample
from sedna.common.atomic import sha256_file
from sedna.common.audit import is_audited
from sedna.common.types import Picked, SampleId
from sedna.datasources import BaseDataSource
from sedna.loop.spec import Audit

_PROGRESS_SECONDS = 0.5


@dataclass
class InferencePass:
    """What a pass gave: answers by sample, samples to keep, seconds of each call, and truth and answers of the audited
    samples."""

    answers: dict[Any, Any] = field(default_factory=dict)
    picked: list[HardExample] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    truth: list[Any] = field(default_factory=list)
    audited_answers: dict[Any, Any] = field(default_factory=dict)


def infer(
    data: BaseDataSource,
    jobs: Mapping[str, EstimatorJob],
    audit: Audit,
    copies: Path,
    on_progress: Callable[[float], None],
) -> InferencePass:
    """Answer every sample, one a call, dealt to the edges in turn.

    Args:
        jobs: the use of the basemodel by each edge.
        copies: folder that gets the picked samples.
        on_progress: called now and then with the share that is done.

    Raises:
        DataError: ``predict`` answered nonsense, or a picked sample is no file.
    """
    done = InferencePass()
    edges = list(jobs)
    reported = float("-inf")
    for position, (sample, label) in enumerate(zip(data.x, data.y, strict=True)):
        if time.monotonic() > reported + _PROGRESS_SECONDS:
            reported = time.monotonic()
            on_progress(position / len(data.x))
        edge = edges[position % len(edges)]
        _infer_one(jobs[edge], edge, str(sample), label, audit, copies, done)
    return done


def _infer_one(
    job: EstimatorJob, edge: str, sample: str, label: Any, audit: Audit, copies: Path, done: InferencePass
) -> None:
    answers, verdict, seconds = job.inference([sample])
    done.answers.update(answers)
    done.latencies.append(seconds)
    # By the sample's hash, as on an edge: the same samples are audited whichever model or miner runs.
    audited = bool(audit.ratio) and is_audited(SampleId(sha256_file(sample)), audit.ratio, audit.seed)
    if audited:
        done.truth.append(label)
        done.audited_answers.update(answers)
    if verdict.hard or audited:
        picked = Picked.HARD if verdict.hard else Picked.AUDIT
        done.picked.append(HardExample.keep(sample, label, copies, edge, picked))
