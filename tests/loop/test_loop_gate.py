"""The gate: upstream's condition, the bootstrap, floors, regression, and the third answer."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loop_builders import make_spec

from sedna.loop import Evaluation, GateOutcome, ModelScores, SampleScore, judge, paired_bootstrap
from sedna.loop.evidence import statistic


def rows(right: list[int], prefix: str = "s") -> tuple[SampleScore, ...]:
    """One object a sample: found (1) or missed (0)."""
    return tuple(SampleScore(sample=f"{prefix}{i}", tp=(hit,), fp=(0,), fn=(1 - hit,)) for i, hit in enumerate(right))


def evaluation(
    new: list[int],
    old: list[int],
    *,
    hold_new: list[int] = (),
    hold_old: list[int] = (),
    metrics: tuple[dict, dict] = ({}, {}),
) -> Evaluation:
    return Evaluation(
        candidate=ModelScores(metrics=metrics[0], per_sample=rows(new) + rows(hold_new, "h")),
        champion=ModelScores(metrics=metrics[1], per_sample=rows(old) + rows(hold_old, "h")),
        judged=frozenset(f"s{i}" for i in range(len(new))),
        holdout=frozenset(f"h{i}" for i in range(len(hold_new))),
    )


CONDITION = {"condition": {"operator": ">", "threshold": 0.1, "metric": "precision_delta"}}


@pytest.mark.parametrize(
    ("new", "old", "outcome"),
    [
        ((0.9, 0.8), (0.5, 0.6), GateOutcome.BETTER),  # upstream reads this as 0 and never deploys
        ((0.6, 0.6), (0.5, 0.6), GateOutcome.NOT_BETTER),
        (0.9, 0.5, GateOutcome.BETTER),
        (0.55, 0.5, GateOutcome.NOT_BETTER),
    ],
)
def test_upstream_condition_alone(new, old, outcome: GateOutcome) -> None:
    found = evaluation([], [], metrics=({"precision": new}, {"precision": old}))
    assert judge(make_spec(deploy_trigger=CONDITION), found).outcome is outcome


def test_a_metric_that_nobody_reported_is_missing_evidence_and_says_so() -> None:
    verdict = judge(make_spec(deploy_trigger=CONDITION), evaluation([], [], metrics=({"acc": 0.9}, {"acc": 0.5})))
    assert verdict.outcome is GateOutcome.NOT_ENOUGH_EVIDENCE
    assert "precision_delta was not reported" in verdict.reason
    assert "acc, acc_delta" in verdict.reason


def test_clear_improvement_passes_and_noise_does_not() -> None:
    spec = make_spec(gate={"confidence": 0.95, "minSamples": 20})
    better = judge(spec, evaluation([1] * 36 + [0] * 4, [1] * 20 + [0] * 20))
    assert better.outcome is GateOutcome.BETTER
    assert better.interval is not None
    assert 0 < better.interval.low < better.candidate - better.champion < better.interval.high
    noise = judge(spec, evaluation([1] * 21 + [0] * 19, [1] * 20 + [0] * 19 + [1]))
    assert noise.outcome is GateOutcome.NOT_ENOUGH_EVIDENCE
    assert "more samples needed" in noise.reason


def test_worse_is_rejected() -> None:
    spec = make_spec(gate={"confidence": 0.95, "minSamples": 20})
    assert judge(spec, evaluation([0] * 30 + [1] * 10, [1] * 40)).outcome is GateOutcome.NOT_BETTER


def test_too_few_samples() -> None:
    verdict = judge(make_spec(gate={"minSamples": 20}), evaluation([1] * 19, [0] * 19))
    assert verdict.outcome is GateOutcome.NOT_ENOUGH_EVIDENCE
    assert verdict.reason == "19 judged samples, 20 needed"


def test_only_samples_that_both_models_answered_count() -> None:
    found = Evaluation(
        candidate=ModelScores(per_sample=rows([1, 1, 1])),
        champion=ModelScores(per_sample=rows([0, 0])),
        judged=frozenset({"s0", "s1", "s2"}),
    )
    assert judge(make_spec(), found).samples == 2


def test_regression_on_the_frozen_holdout_rejects() -> None:
    spec = make_spec(gate={"maxRegression": 0.05})
    forgetful = evaluation([1] * 10, [0] * 10, hold_new=[1] * 5 + [0] * 5, hold_old=[1] * 10)
    verdict = judge(spec, forgetful)
    assert verdict.outcome is GateOutcome.NOT_BETTER
    assert "hold-out f1 1.0000 -> 0.6667 on 10 samples, loss over 0.05" in verdict.reason
    assert judge(spec, evaluation([1] * 10, [0] * 10)).outcome is GateOutcome.NOT_ENOUGH_EVIDENCE
    faithful = evaluation([1] * 10, [0] * 10, hold_new=[1] * 10, hold_old=[1] * 10)
    kept = judge(spec, faithful)
    assert kept.outcome is GateOutcome.BETTER
    assert kept.holdout is not None
    assert (kept.holdout.samples, kept.holdout.candidate, kept.holdout.champion) == (10, 1.0, 1.0)
    assert kept.holdout.candidate_classes == (1.0,)


def test_floor_per_class() -> None:
    def scores(second: int) -> ModelScores:
        return ModelScores(per_sample=(SampleScore(sample="a", tp=(9, second), fp=(0, 0), fn=(1, 10 - second)),))

    spec = make_spec(gate={"classFloor": {"short": 0.5}}, classNames=["open", "short"])
    for second, outcome in ((2, GateOutcome.NOT_BETTER), (6, GateOutcome.BETTER)):
        champion = ModelScores(per_sample=(SampleScore(sample="a", tp=(1, 1), fp=(0, 0), fn=(9, 9)),))
        found = Evaluation(candidate=scores(second), champion=champion, judged=frozenset({"a"}))
        assert judge(spec, found).outcome is outcome


def test_bootstrap_agrees_with_numpy() -> None:
    rng = random.Random(3)
    new = [int(rng.random() < 0.8) for _ in range(60)]
    old = [int(rng.random() < 0.6) for _ in range(60)]
    interval = paired_bootstrap(rows(new), rows(old), "recall", confidence=0.9, resamples=4000, seed=1)
    picks = np.random.default_rng(0).integers(0, 60, (20_000, 60))
    deltas = (np.array(new)[picks] - np.array(old)[picks]).mean(1)
    assert interval is not None
    assert [interval.low, interval.high] == pytest.approx(np.quantile(deltas, [0.05, 0.95]), abs=0.02)


@pytest.mark.parametrize("metric", ["f1", "f1_macro", "precision", "recall", "accuracy"])
def test_statistics_by_hand(metric: str) -> None:
    pair = (
        SampleScore(sample="a", tp=(2, 0), fp=(1, 0), fn=(0, 1)),
        SampleScore(sample="b", tp=(1, 1), fp=(0, 1), fn=(1, 0)),
    )
    # sums: tp (3, 1), fp (1, 1), fn (1, 1)
    expected = {"f1": 8 / 12, "f1_macro": (6 / 8 + 2 / 4) / 2, "precision": 4 / 6, "recall": 4 / 6, "accuracy": 4 / 6}
    assert statistic(metric, pair) == pytest.approx(expected[metric])


def test_value_statistic_is_a_mean() -> None:
    scores = tuple(SampleScore(sample=str(i), value=float(i)) for i in range(5))
    assert statistic("value", scores) == 2.0
    assert statistic("f1", scores) is None


@settings(max_examples=60, deadline=None)
@given(data=st.data(), size=st.integers(1, 12))
def test_the_gate_is_fair(data: st.DataObject, size: int) -> None:
    """Swapping the models negates the interval; identical models are never better; the same input, the same answer."""
    hits = st.lists(st.integers(0, 1), min_size=size, max_size=size)
    new, old = data.draw(hits), data.draw(hits)
    options = {"confidence": 0.9, "resamples": 100, "seed": 5}
    forward = paired_bootstrap(rows(new), rows(old), "recall", **options)
    assert forward == paired_bootstrap(rows(new), rows(old), "recall", **options)
    spec = make_spec(gate={"confidence": 0.9, "resamples": 100})
    assert judge(spec, evaluation(new, new)).outcome is not GateOutcome.BETTER
    if judge(spec, evaluation(new, old)).outcome is GateOutcome.BETTER:
        assert judge(spec, evaluation(old, new)).outcome is GateOutcome.NOT_BETTER


def test_reported_metrics_are_read_with_care() -> None:
    scores = ModelScores.from_report(
        {
            "precision": [0.5, float("nan")],
            "map": 0.25,
            "note": "text",
            "bad": float("inf"),
            "per_sample": [{"sample": "x", "value": 1}],
        }
    )
    assert scores.metrics == {"precision": (0.5, 0.0), "map": 0.25}
    assert scores.per_sample == (SampleScore(sample="x", value=1.0),)


@pytest.mark.parametrize("rows", [5, True, "text", {"sample": "x"}, None])
def test_rows_that_are_no_list_are_left_out(rows: object) -> None:
    assert ModelScores.from_report({"map": 0.25, "per_sample": rows}) == ModelScores(metrics={"map": 0.25})


@pytest.mark.parametrize("value", [10**400, -(10**400), 1.7e308, float("nan")])
def test_numbers_that_nothing_can_be_computed_with_are_not_finite(value: float) -> None:
    scores = ModelScores.from_report({"loss": value, "precision": [0.5, value]})
    assert scores.metrics == {"precision": (0.5, 0.0)}


def of_value(count: int) -> tuple[SampleScore, ...]:
    return tuple(SampleScore(sample=f"s{i}", value=1.0) for i in range(count))


@pytest.mark.parametrize(
    ("metric", "rows_of_old", "words"),
    [
        (
            "f1",
            of_value(2),
            "f1 cannot be computed: rows of per_sample of the candidate and the model in service have no",
        ),
        ("f1", rows([1, 1]), "rows of per_sample of the candidate have no counts"),
        ("value", rows([1, 1]), "rows of per_sample of the model in service have no value"),
    ],
)
def test_rows_that_do_not_fit_the_metric_say_what_to_return(metric, rows_of_old, words) -> None:
    found = Evaluation(
        candidate=ModelScores(per_sample=of_value(2)),
        champion=ModelScores(per_sample=rows_of_old),
        judged=frozenset({"s0", "s1"}),
    )
    verdict = judge(make_spec(gate={"metric": metric}), found)
    assert verdict.outcome is GateOutcome.NOT_ENOUGH_EVIDENCE
    assert words in verdict.reason
    assert "evaluate returns {'sample'" in verdict.reason


def test_a_hold_out_that_is_there_is_not_called_missing() -> None:
    spec = make_spec(gate={"maxRegression": 0.1})

    def said(evaluation: Evaluation) -> str:
        (check,) = (check for check in judge(spec, evaluation).checks if check.name == "holdout")
        assert check.passed is None
        return check.reason

    there = evaluation([1], [0])
    assert "there is no frozen hold-out" in said(there)
    assert "has 2 samples, and per_sample names none" in said(there.model_copy(update={"holdout": frozenset("xy")}))
    values = ModelScores(per_sample=(*rows([1]), SampleScore(sample="x", value=1.0)))
    mixed = Evaluation(candidate=values, champion=values, judged=frozenset({"s0"}), holdout=frozenset("x"))
    assert "on the 1 samples of the frozen hold-out metric f1 cannot be computed" in said(mixed)
