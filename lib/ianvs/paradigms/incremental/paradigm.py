"""Incremental learning: infer on a piece of the stream, mine hard examples, and let the loop decide what follows.

Without our optional keys the calls, their order, the environment and the folders are those of upstream's local test
mode: every hard example is labelled from the index at once, any hard example starts a round, and
``candidate - current <operator> threshold`` decides. ``trigger``, ``gate``, ``audit``, ``replay`` and ``edges`` of the
test environment are production's.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue, ValidationError

from ianvs.cases.measurements import Measurements, RoundRecord
from ianvs.data import StreamPiece
from ianvs.data.index import check_index
from ianvs.paradigms.base import Case, ParadigmResult
from ianvs.paradigms.incremental.estimator import NEEDED, EstimatorJob
from ianvs.paradigms.incremental.inference import InferencePass, infer
from ianvs.paradigms.incremental.judging import AuditedSamples, Judge
from ianvs.paradigms.incremental.loop_driver import INITIAL_MODEL, LoopDriver, LoopState, LoopStep, job_spec
from ianvs.paradigms.incremental.sampling import SamplePool
from ianvs.paradigms.incremental.versions import VersionStore, WrittenDatasets
from ianvs.usercode.parts import MinerChoice, load_estimator, load_metric, load_miner
from sedna.common.errors import DataError, SpecError
from sedna.common.types import Picked
from sedna.common.validation import as_error
from sedna.loop import AuditMetrics, Evaluation, SampleCounts
from sedna.loop.spec import JobSpec

TEST = "test"
_INFERENCE_SHARE, _TRAINED_SHARE = 0.3, 0.9
"""Shares of a round that are over when its training begins and ends: a guess, for the time to go."""


def run(case: Case) -> ParadigmResult:
    """Play the stream, then answer the test data with the model in service.

    Raises:
        SpecError: a module is missing, or the loop cannot be described.
        DataError: the index or what user code answered is wrong.
    """
    return _Incremental(case).run()


@dataclass
class _State:
    """The state between two pieces of the stream, without the basemodel."""

    loop: LoopState
    pool: SamplePool
    models: dict[int, str]
    audited: AuditedSamples
    written: WrittenDatasets
    measurements: Measurements


class _Incremental:
    """Infers, trains and evaluates with the user's basemodel, as the loop decides."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.measurements = Measurements()
        testenv = case.testenv
        os.environ["LOCAL_TEST"] = "TRUE"
        with case.watch.algorithm():
            self.estimator = load_estimator(case.code, case.module("basemodel"), NEEDED)
            self.miner = self._load_miner()
            self.judge = self._load_judge()
        self.driver = LoopDriver(self._spec(), testenv.stream.start, testenv.edges)
        self.pool = SamplePool(testenv.replay)
        self.models: dict[int, str] = {INITIAL_MODEL: case.algorithm.initial_model_url}
        self.pieces = self._split()
        self.versions = VersionStore(case, self.models[INITIAL_MODEL], testenv.stream.start)
        self.piece_number, self.piece = 1, self.pieces[0]
        self.record: dict[str, Any] = {}

    def _load_miner(self) -> MinerChoice | None:
        module = self.case.combination.get("hard_example_mining")
        return None if module is None else load_miner(self.case.code, module)

    def _load_judge(self) -> Judge:
        metric = self.case.testenv.model_eval.model_metric
        function: Callable[..., Any] | None = load_metric(self.case.code, metric) if metric.name else None
        return Judge(metric.name, function, self.case.testenv.judged_by_gate)

    def _spec(self) -> JobSpec:
        miner = self.miner.name if self.miner is not None else "EdgeOnly"
        try:
            return job_spec(self.case.testenv, self.case.module("basemodel").name, miner)
        except ValidationError as error:
            raise as_error(SpecError, error, "testenv", what="the loop cannot be described") from error

    def _split(self) -> list[StreamPiece]:
        setting = self.case.algorithm.incremental_learning_data_setting
        data, config = self.case.dataset, self.case.testenv.dataset
        for file, given in (
            (data.train_url, config.train),
            (data.test_url, config.test),
            (data.holdout_url, config.holdout_index),
        ):
            if file:
                check_index(file, written_from=given)
        return self.case.dataset.split(
            setting.train_ratio,
            setting.splitting_method,
            ("model_inference", "model_evaluation"),
            f"{self.case.output_dir}/dataset",
            self.case.testenv.incremental_rounds,
        )

    def run(self) -> ParadigmResult:
        rounds = self.case.testenv.incremental_rounds
        played = self._resume()
        # Some ways of splitting make an extra piece, which upstream leaves out in the same way.
        for piece_number, piece in list(enumerate(self.pieces[:rounds], start=1))[played:]:
            self._play(piece_number, piece)
            self.case.checkpoints.save(piece_number, self._state(), self.estimator)
        self.piece_number = rounds + 1
        test = self._infer(self.case.dataset.test_url, TEST)
        self._close_record(None)
        return ParadigmResult(test.answers, self.measurements)

    def _state(self) -> _State:
        return _State(
            self.driver.state, self.pool, self.models, self.judge.audited, self.versions.written, self.measurements
        )

    def _resume(self) -> int:
        """Take over from an earlier process that was killed; the number of pieces that it had played."""
        kept = self.case.checkpoints.restore()
        if kept is None:
            return 0
        state: _State = kept.parts
        self.driver.state, self.pool, self.models = state.loop, state.pool, state.models
        self.judge.audited, self.measurements = state.audited, state.measurements
        if kept.estimator is not None:
            self.estimator = kept.estimator
        self.versions.resume(state.written, self.models)
        self.case.progress.resume(self.measurements.rounds)
        # What the killed process wrote of the piece after the checkpoint would mix with what is written now.
        played = [str(piece_number) for piece_number in range(1, kept.pieces + 1)]
        for kind in ("inference/results", "inference/hard_examples", "train"):
            for folder in Path(self.case.output_dir, "output", kind).glob("*"):
                if folder.name not in played:
                    shutil.rmtree(folder)
        return kept.pieces

    def _play(self, piece_number: int, piece: StreamPiece) -> None:
        self.piece_number, self.piece = piece_number, piece
        done = self._infer(piece.inference, str(piece_number))
        # The clock moves before the trigger is asked: timers see the piece as over, and its samples as new.
        self.driver.wait(self.case.testenv.stream.seconds_per_round)
        self.pool.add(done.picked, self.driver.now)
        self._remember_audit(done)
        step = self.driver.step(self)
        self._close_record(step)

    # inference

    def _infer(self, index: str, tag: str) -> InferencePass:
        """One pass over an index, one sample a call, dealt to the edges by turns."""
        results = f"{self.case.output_dir}/output/inference/results/{tag}"
        copies = f"{self.case.output_dir}/output/inference/hard_examples/{tag}"
        for folder in (results, copies):
            Path(folder).mkdir(parents=True, exist_ok=True)
        os.environ["RESULT_SAVED_URL"] = results
        os.environ["MODEL_URL"] = self.models[self.driver.champion]
        # Made after the environment is set, which each of them reads as it is made.
        jobs = {edge: EstimatorJob(self.estimator, self.miner, self.case.watch) for edge in self.driver.edges}
        data = self.case.dataset.load_data(index, "inference")
        audit = self.driver.spec.deploy_spec.audit
        done = infer(data, jobs, audit, Path(copies), lambda share: self._report("inference", _INFERENCE_SHARE * share))
        self._open_record(tag, done)
        return done

    def _remember_audit(self, done: InferencePass) -> None:
        if done.truth:
            self.judge.audit(done.truth, done.audited_answers, self.driver.champion)

    def _report(self, stage: str, share: float) -> None:
        """``share`` of the round is done (0 to 1)."""
        rounds = self.case.testenv.incremental_rounds
        text = f"round {self.piece_number}/{rounds}: {stage}" if self.piece_number <= rounds else TEST
        self.case.progress.step((self.piece_number - 1 + share) / (rounds + 1), text)

    # what the loop asks for

    def sample_counts(self) -> SampleCounts:
        return self.pool.counts(self.piece.sizes[1])

    def audit_metrics(self) -> AuditMetrics | None:
        return self.judge.audit_metrics(self.driver.champion)

    def train(self, round_id: int, champion: int, parameters: dict[str, JsonValue]) -> int:  # noqa: ARG002
        self._report("training", _INFERENCE_SHARE)
        folder = f"{self.case.output_dir}/output/train/{self.piece_number}"
        Path(folder).mkdir(parents=True, exist_ok=True)
        # Taken for good: a candidate that is rejected has used its samples up, as upstream's has.
        used, replayed = self.pool.take()
        index = f"{self.case.output_dir}/dataset/model_train-{self.piece_number}.txt"
        Path(index).write_text("".join(f"{sample.line}\n" for sample in (*used, *replayed)), encoding="utf-8")
        self.versions.dataset(round_id, used, self.piece.evaluation)
        os.environ["MODEL_URL"] = folder
        os.environ["BASE_MODEL_URL"] = self.models[champion]
        job = EstimatorJob(self.estimator, self.miner, self.case.watch)
        data = self.case.dataset.load_data(index, "train")
        started = time.perf_counter()
        model = job.train(data)
        seconds = time.perf_counter() - started
        self.measurements.train_seconds += seconds
        # Of all models, not of the champion: a rejected candidate keeps its number, as in production.
        version = max(self.models) + 1
        self.models[version] = model
        self.versions.model(version, champion, round_id, model)
        self.record.update(
            round=round_id, trained_on=len(used), replayed=len(replayed), train_seconds=seconds, candidate=version
        )
        return version

    def evaluate(self, candidate: int, champion: int) -> Evaluation:
        if not self.piece.sizes[1]:
            raise DataError(
                f"round {self.piece_number} has no sample to judge its candidate with",
                where=self.piece.evaluation,
                hint="fewer rounds, a smaller train_ratio, or more data",
            )
        self._report("judging", _TRAINED_SHARE)
        os.environ["MODEL_URLS"] = f"{self.models[candidate]};{self.models[champion]}"
        job = EstimatorJob(self.estimator, self.miner, self.case.watch)
        index, holdout = self._judged_index()
        data = self.case.dataset.load_data(index, "eval")
        results = job.evaluate(data, self.judge.metric)
        evaluation = self.judge.evaluation(results, holdout)
        assert evaluation.champion is not None
        self.record.update(candidate_metrics=evaluation.candidate.metrics, serving_metrics=evaluation.champion.metrics)
        return evaluation

    def _judged_index(self) -> tuple[str, frozenset[str]]:
        """The round's evaluation samples, and the frozen ones behind them if the gate looks at those."""
        holdout = self.case.dataset.holdout_url
        if not holdout:
            return self.piece.evaluation, frozenset()
        both = f"{self.case.output_dir}/dataset/model_judgement-{self.piece_number}.txt"
        lines = [Path(name).read_text(encoding="utf-8") for name in (self.piece.evaluation, holdout)]
        Path(both).write_text("".join(f"{text.rstrip()}\n" for text in lines), encoding="utf-8")
        frozen = self.case.dataset.load_data(holdout, "eval").x
        return both, frozenset(Path(str(name)).stem for name in frozen)

    def deployed(self, version: int) -> None:
        size = _size(self.models[version])
        self.record["downlink_bytes"] = self.record.get("downlink_bytes", 0) + size * len(self.driver.edges)

    # records

    def _open_record(self, tag: str, done: InferencePass) -> None:
        hard = [sample for sample in done.picked if sample.picked is Picked.HARD]
        self.measurements.transfers.append((done.answers, [(sample.original, sample.copy) for sample in done.picked]))
        self.measurements.latencies += done.latencies
        self.record = {
            "piece": tag,
            "inferences": len(done.latencies),
            "hard": len(hard),
            "audited": len(done.truth),
            "hard_by_edge": dict(Counter(sample.edge for sample in hard)) if len(self.driver.edges) > 1 else {},
            "latency_mean": statistics.fmean(done.latencies) if done.latencies else 0.0,
            "uplink_bytes": sum(sample.size for sample in done.picked),
            "serving": self.driver.champion,
        }

    def _close_record(self, step: LoopStep | None) -> None:
        if step is not None:
            outcome = step.closed.outcome.value if step.closed is not None else None
            self.record.update(outcome=outcome, reason=step.reason)
        record = RoundRecord(**self.record)
        self.measurements.rounds.append(record)
        self.case.progress.round_done(record)


def _size(path: str) -> int:
    """Bytes of a model file or folder."""
    root = Path(path)
    files: Sequence[Path] = [root] if root.is_file() else [entry for entry in root.rglob("*") if entry.is_file()]
    return sum(entry.stat().st_size for entry in files)
