"""One frame's way through an edge: predict, judge, pick, keep."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sedna.algorithms.hard_example_mining import verdict_of
from sedna.common.audit import is_audited
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import ModelError, NotFoundError, SednaError, SpecError
from sedna.common.orientation import UPRIGHT
from sedna.common.types import ORIENTATION_META, Picked, Prediction, SampleId, SampleRecord, Verdict
from sedna.edge.budget import HardBudget, KeepLimits
from sedna.edge.counters import JobCounters, NotKept
from sedna.edge.image import FrameImage
from sedna.edge.protocol import DesiredJob, DesiredMiner
from sedna.edge.selftest import check_prediction
from sedna.edge.slot import ModelSlot
from sedna.edge.spool import Spool

__all__ = ["FrameResult", "MinerPipeline", "miner_input"]

LOG = logging.getLogger("sedna.edge.pipeline")

Miner = Callable[[Any], Any]

_LONGEST_REQUEST_ID = 200
"""Clients choose it; a record must stay small beside its image."""


@dataclass(frozen=True, slots=True)
class FrameResult:
    """What became of one image. ``kept`` is None if it did not reach the spool; ``not_kept`` says why a picked one
    did not."""

    sample_id: SampleId
    prediction: Prediction
    verdict: Verdict
    kept: Picked | None
    not_kept: NotKept | None


@dataclass(frozen=True, slots=True)
class _Rules:
    """How frames are judged now; replaced as a whole."""

    miner_spec: DesiredMiner | None = None
    miner: Miner | None = None
    audit_ratio: float = 0.0
    audit_seed: int = 0
    bits_per_sample: int | None = None


class MinerPipeline:
    """Predicts with the model of a slot, and keeps what is hard or drawn for audit.

    A sample drawn for audit counts as audit also if it is hard: only then are the audited ones a fair draw from the
    whole traffic. Nothing that happens after the prediction can fail a request: a miner that raises and a spool
    without room are counted and logged.

    Args:
        slot: where the model is.
        spool: where kept samples go.
        edge: this edge's name.
        limits: on hard examples.
        clock: for capture times and budgets.
        kept: called after a sample has reached the spool.
    """

    def __init__(
        self,
        slot: ModelSlot,
        spool: Spool,
        edge: str,
        *,
        limits: KeepLimits | None = None,
        clock: Clock | None = None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:
        self.counters = JobCounters()
        self._slot = slot
        self._spool = spool
        self._edge = edge
        self._clock = clock or SystemClock()
        self._kept = kept
        self._budget = HardBudget(limits or KeepLimits())
        self._rules = _Rules()
        self._miner_lock = threading.Lock()  # miners of users are rarely written for several threads

    def configure(self, desired: DesiredJob) -> None:
        """Follow the cloud's wishes for mining and audit; a miner that is wanted already keeps its state.

        Raises:
            UserError: the miner is not registered, or refuses its parameters; the earlier rules stay.
        """
        rules = self._rules
        # A miner may count or draw; a new one with every heartbeat would start again every ten seconds.
        miner = rules.miner if desired.miner == rules.miner_spec else _build_miner(desired.miner)
        # Replaced as a whole: a frame is judged by one set of rules, whenever it comes.
        self._rules = _Rules(desired.miner, miner, desired.audit_ratio, desired.audit_seed, desired.bits_per_sample)

    @property
    def bits_per_sample(self) -> int | None:
        """How many bits of a sample of its pictures are used, where the job declares it."""
        return self._rules.bits_per_sample

    def handle(
        self, images: Sequence[FrameImage], request_id: str = "", version: int | None = None
    ) -> tuple[int, list[FrameResult]]:
        """Predict, judge, and keep what is worth it; all images by one model.

        Args:
            images: of one request.
            request_id: goes into the records of kept samples.
            version: the only version that may answer; None = the one in service.

        Returns:
            The model's version, and one result per image. A result with ``kept`` is on the disk for good.

        Raises:
            NoModelError: no model is in service.
            NotFoundError: another version than the wanted one is.
            ModelError: the model failed, or answered nonsense.
        """
        with self._slot.lease() as model:
            if version not in (None, model.id.version):
                raise NotFoundError(f"version {version} is not served", hint=f"version {model.id.version} is")
            try:
                predictions = model.runtime.predict([image.pixels for image in images])
                for prediction in predictions:
                    check_prediction(prediction, len(model.manifest.class_names))
            except ModelError as error:
                self._slot.failed(model, error)
                raise
            self._slot.worked(model)
            # Read inside the lease: after it another model may be in service, and the record would name the wrong one.
            served = model.id.version
        pairs = zip(images, predictions, strict=True)
        return served, [self._judge_and_keep(image, prediction, served, request_id) for image, prediction in pairs]

    def _judge_and_keep(self, image: FrameImage, prediction: Prediction, version: int, request_id: str) -> FrameResult:
        rules = self._rules
        verdict, miner_failed = self._judge(rules, prediction)
        audit = is_audited(image.sample_id, rules.audit_ratio, rules.audit_seed)
        self.counters.frame(hard=verdict.hard, audit=audit, miner_error=miner_failed)
        # What the miner cannot judge is worth a look; as audit it would bias what is measured on the random draw.
        hard = verdict.hard or miner_failed
        picked = Picked.AUDIT if audit else Picked.HARD if hard else None
        not_kept = self._keep(image, prediction, verdict, picked, version, request_id) if picked else None
        kept = picked if not_kept is None else None
        return FrameResult(image.sample_id, prediction, verdict, kept, not_kept)

    def _judge(self, rules: _Rules, prediction: Prediction) -> tuple[Verdict, bool]:
        """The miner's verdict, and whether the miner failed."""
        if rules.miner is None:
            return Verdict(hard=False, miner="none", reason="no miner is set"), False
        name = rules.miner_spec.name if rules.miner_spec else ""
        try:
            with self._miner_lock:
                return verdict_of(rules.miner, miner_input(prediction)), False
        except Exception as error:  # the boundary to a user's miner: the prediction stands, whatever it does
            LOG.exception("miner %s failed", name)
            return Verdict(hard=False, miner=name, reason=f"the miner failed: {type(error).__name__}: {error}"), True

    def _keep(
        self,
        image: FrameImage,
        prediction: Prediction,
        verdict: Verdict,
        picked: Picked,
        version: int,
        request_id: str,
    ) -> NotKept | None:
        """Put a picked image into the spool; the reason if it does not go there."""
        record = SampleRecord(
            sample_id=image.sample_id,
            job=self._slot.job,
            extension=image.extension,
            size=len(image.data),
            width=image.width,
            height=image.height,
            picked=picked,
            verdict=verdict,
            prediction=prediction,
            model_version=version,
            edge=self._edge,
            captured_at=self._clock.now(),
            meta=_meta(image, request_id),
        )
        try:
            not_kept = self._spooled(record, image)
        except (SednaError, OSError) as error:
            LOG.warning("sample %s was not kept: %s", image.sample_id, error)
            not_kept = NotKept.STORAGE
        if not_kept is None:
            self.counters.kept(picked)
            self._kept()
        else:
            self.counters.not_kept(not_kept)
        return not_kept

    def _spooled(self, record: SampleRecord, image: FrameImage) -> NotKept | None:
        if self._spool.knows(record.job, record.sample_id):  # before the budget: repeats must not use it up
            return NotKept.KNOWN
        if record.picked is Picked.HARD:
            refused = self._budget.take(image.pixels, self._clock.monotonic())
            if refused is not None:
                return refused
        return None if self._spool.add(record, image.data) else NotKept.KNOWN


def _meta(image: FrameImage, request_id: str) -> dict[str, Any]:
    meta: dict[str, Any] = {"request_id": request_id[:_LONGEST_REQUEST_ID]} if request_id else {}
    # Size and prediction of the record are those of the turned picture; older edges did not turn it, and did not say.
    return meta | ({} if image.orientation == UPRIGHT else {ORIENTATION_META: image.orientation})


def miner_input(prediction: Prediction) -> list[list[float]] | list[float]:
    """A prediction in the form upstream's miners read: probabilities, or ``[[x1, y1, x2, y2, score, label], ...]``."""
    if prediction.probabilities is not None:
        return list(prediction.probabilities)
    return [
        [box.x1, box.y1, box.x2, box.y2, box.score if box.score is not None else 1.0, box.label]
        for box in prediction.boxes
    ]


def _build_miner(spec: DesiredMiner) -> Miner:
    kind = ClassFactory.get_cls(ClassType.HEM, spec.name)
    try:
        miner: Miner = kind(**spec.parameters)
    except (TypeError, ValueError) as error:
        raise SpecError(f"miner {spec.name} refuses its parameters: {error}", where="hardExampleMining") from error
    return miner
