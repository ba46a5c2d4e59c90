"""Is the candidate better than the model in service? Upstream's condition, and statistics on the same samples.

The interval is a paired percentile bootstrap (Efron & Tibshirani 1993, ch. 13): samples, not boxes, are resampled, and
both models are scored on the same resample, so that hard samples count against both.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sedna.loop.conditions import Condition, MetricValue, parse_metric
from sedna.loop.evidence import (
    COUNT_STATISTICS,
    Evaluation,
    ModelScores,
    SampleScore,
    class_f1,
    statistic,
    total_counts,
)
from sedna.loop.spec import Gate, JobSpec
from sedna.loop.verdict import Check, Comparison, GateOutcome, GateVerdict, Interval


@dataclass(frozen=True)
class _Pairs:
    """Results of both models on the same samples, in the same order."""

    candidate: tuple[SampleScore, ...]
    champion: tuple[SampleScore, ...]

    def __len__(self) -> int:
        return len(self.candidate)


def _pair(evaluation: Evaluation, samples: frozenset[str]) -> _Pairs:
    candidate = {score.sample: score for score in evaluation.candidate.on(samples)}
    champion = {score.sample: score for score in (evaluation.champion or ModelScores()).on(samples)}
    # In the order of the names: the resampling picks by position, and the same evidence must give the same interval.
    common = sorted(candidate.keys() & champion.keys())
    return _Pairs(tuple(candidate[name] for name in common), tuple(champion[name] for name in common))


def delta_metrics(candidate: ModelScores, champion: ModelScores | None) -> dict[str, MetricValue]:
    """Upstream's names: each metric of the candidate, and ``<metric>_delta`` = candidate - champion, by element.

    A metric that the champion lacks, or has with another length, gets no delta.
    """
    stats: dict[str, MetricValue] = dict(candidate.metrics)
    for name, new in candidate.metrics.items():
        old = champion.metrics.get(name) if champion is not None else None
        if old is None:
            continue
        if isinstance(new, tuple) and isinstance(old, tuple) and len(new) == len(old):
            stats[f"{name}_delta"] = tuple(n - o for n, o in zip(new, old, strict=True))
        elif not isinstance(new, tuple) and not isinstance(old, tuple):
            stats[f"{name}_delta"] = new - old
    return stats


def _condition_check(condition: Condition, stats: Mapping[str, MetricValue]) -> Check:
    value = condition.read(stats)
    if value is None:
        name, _ = parse_metric(condition.metric)
        known = ", ".join(sorted(stats)) or "none"
        reason = (
            f"{condition.metric} was not reported" if name not in stats else f"{condition.metric} has no such entry"
        )
        return Check(name="condition", passed=None, required=str(condition), reason=f"{reason}; reported: {known}")
    holds = condition.holds(value)
    text = f"{condition.metric} = {value:.4f}, {'' if holds else 'not '}{condition.operator} {condition.threshold:g}"
    return Check(name="condition", passed=holds, observed=value, required=str(condition), reason=text)


def _rows(scores: Sequence[SampleScore], metric: str) -> list[tuple[float, ...]] | None:
    """Each sample as the few numbers whose sums give the metric; None when it cannot be computed from them."""
    if metric == "value":
        return None if any(score.value is None for score in scores) else [(score.value or 0.0,) for score in scores]
    if len({len(score.tp) for score in scores}) != 1 or not scores[0].tp:
        return None
    if metric == "f1_macro":
        return [(*score.tp, *score.fp, *score.fn) for score in scores]
    return [(sum(score.tp), sum(score.fp), sum(score.fn)) for score in scores]


def _score(rows: Sequence[tuple[float, ...]], picks: Sequence[int], metric: str) -> float:
    sums: list[float] = [sum(column) for column in zip(*(rows[pick] for pick in picks), strict=True)]
    if metric == "value":
        return sums[0] / len(picks)
    classes = len(sums) // 3
    return COUNT_STATISTICS[metric](sums[:classes], sums[classes : 2 * classes], sums[2 * classes :])


def paired_bootstrap(
    candidate: Sequence[SampleScore],
    champion: Sequence[SampleScore],
    metric: str,
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> Interval | None:
    """Percentile interval of metric(candidate) - metric(champion) over resampled samples; None if not computable.

    Deterministic: the same rows and seed give the same interval.
    """
    if not candidate:
        return None
    new, old = _rows(candidate, metric), _rows(champion, metric)
    if new is None or old is None:
        return None
    rng = random.Random(seed)
    size = len(candidate)
    deltas = []
    for _ in range(resamples):
        # One draw for both models: what makes the comparison paired, and its interval narrow.
        picks = rng.choices(range(size), k=size)
        deltas.append(_score(new, picks, metric) - _score(old, picks, metric))
    deltas.sort()
    tail = (1 - confidence) / 2
    low, high = (deltas[min(int(quantile * resamples), resamples - 1)] for quantile in (tail, 1 - tail))
    return Interval(low=low, high=high, confidence=confidence)


def _not_computable(metric: str, pairs: _Pairs) -> str:
    """What the results per sample lack for a metric, and what would be right."""
    models = ("the candidate", pairs.candidate), ("the model in service", pairs.champion)
    if metric == "value":
        lacks = [name for name, rows in models if any(row.value is None for row in rows)]
        return (
            f"metric value cannot be computed: rows of per_sample of {' and '.join(lacks)} have no value (evaluate "
            "returns {'sample': ..., 'value': number} a sample; for counts tp, fp, fn choose another "
            "deploySpec.gate.metric)"
        )
    lacks = [name for name, rows in models if any(not row.tp for row in rows)]
    return (
        f"metric {metric} cannot be computed: rows of per_sample of {' and '.join(lacks)} have no counts (evaluate "
        "returns {'sample': ..., 'tp': [...], 'fp': [...], 'fn': [...]} a sample, one number a class; for rows with a "
        "value set deploySpec.gate.metric: value)"
    )


def _evidence(gate: Gate, pairs: _Pairs, values: tuple[float | None, float | None]) -> Check:
    required = f"at least {gate.min_samples} judged samples with per-sample results"
    enough = len(pairs) >= gate.min_samples and None not in values
    if len(pairs) and None in values:
        text = _not_computable(gate.metric, pairs)
    else:
        text = f"{len(pairs)} judged samples, {gate.min_samples} needed"
    return Check(
        name="samples",
        passed=True if enough else None,
        observed=float(len(pairs)),
        required=required,
        reason=text,
    )


def _improvement(gate: Gate, interval: Interval | None, delta: float) -> Check:
    if gate.confidence is None:
        passed = delta > gate.min_improvement
        text = f"{gate.metric} changes by {delta:+.4f}, {'' if passed else 'not '}above {gate.min_improvement:+.4f}"
        return Check(
            name="improvement",
            passed=passed,
            observed=delta,
            required=f"> {gate.min_improvement:g}",
            reason=text,
        )
    required = f"{gate.confidence:.0%} interval above {gate.min_improvement:g}"
    if interval is None:
        return Check(name="improvement", passed=None, required=required, reason="no interval: no per-sample results")
    bounds = f"{gate.confidence:.0%} interval [{interval.low:+.4f}, {interval.high:+.4f}]"
    span = f"{gate.metric} changes by {delta:+.4f}, {bounds}"
    # Three answers and not two: an interval that contains the limit says that more samples are needed, which is no
    # verdict on the candidate.
    if interval.low > gate.min_improvement:
        return Check(
            name="improvement",
            passed=True,
            observed=interval.low,
            required=required,
            reason=f"{span} lies above {gate.min_improvement:g}",
        )
    if interval.high <= gate.min_improvement:
        return Check(
            name="improvement",
            passed=False,
            observed=interval.high,
            required=required,
            reason=f"{span} does not reach above {gate.min_improvement:g}",
        )
    return Check(
        name="improvement",
        passed=None,
        observed=interval.low,
        required=required,
        reason=f"{span} contains {gate.min_improvement:g}: more samples needed",
    )


def _compare_holdout(gate: Gate, evaluation: Evaluation) -> Comparison | None:
    pairs = _pair(evaluation, evaluation.holdout)
    new, old = statistic(gate.metric, pairs.candidate), statistic(gate.metric, pairs.champion)
    if new is None or old is None:
        return None
    return Comparison(
        samples=len(pairs),
        candidate=new,
        champion=old,
        candidate_classes=tuple(class_f1(*total_counts(pairs.candidate))),
        champion_classes=tuple(class_f1(*total_counts(pairs.champion))),
    )


def _no_holdout(gate: Gate, evaluation: Evaluation) -> str:
    """Why the models could not be compared on the hold-out, which may be there all the same."""
    wanted, pairs = len(evaluation.holdout), _pair(evaluation, evaluation.holdout)
    if not wanted:
        return "there is no frozen hold-out (name one in the Dataset: holdoutUrl)"
    if len(pairs):
        return f"on the {wanted} samples of the frozen hold-out {_not_computable(gate.metric, pairs)}"
    return (
        f"the frozen hold-out has {wanted} samples, and per_sample names none of them for both models (evaluate "
        "returns a row for each sample that it is given; 'sample' is the file name without its suffix)"
    )


def _regression(gate: Gate, evaluation: Evaluation, holdout: Comparison | None) -> Iterator[Check]:
    if gate.max_regression is None:
        return
    required = f"hold-out {gate.metric} falls by at most {gate.max_regression:g}"
    if holdout is None:
        yield Check(name="holdout", passed=None, required=required, reason=_no_holdout(gate, evaluation))
        return
    loss = holdout.champion - holdout.candidate
    passed = loss <= gate.max_regression
    change = f"hold-out {gate.metric} {holdout.champion:.4f} -> {holdout.candidate:.4f} on {holdout.samples} samples"
    word = "no loss" if loss <= 0 else f"loss {'within' if passed else 'over'} {gate.max_regression:g}"
    # A gain would read as a negative loss.
    fall = max(loss, 0.0)
    yield Check(name="holdout", passed=passed, observed=fall, required=required, reason=f"{change}, {word}")


def _class_floors(gate: Gate, evaluation: Evaluation, class_names: Sequence[str]) -> Iterator[Check]:
    if gate.class_floor is None:
        return
    rows = evaluation.candidate.on(evaluation.judged | evaluation.holdout)
    if not rows or any(not row.tp for row in rows):
        yield Check(
            name="class floor",
            passed=None,
            required="per-class results",
            reason="no per-class results were reported",
        )
        return
    tp, fp, fn = total_counts(rows)
    for index, value in enumerate(class_f1(tp, fp, fn)):
        name = class_names[index] if index < len(class_names) else str(index)
        floor = gate.class_floor.get(name) if isinstance(gate.class_floor, dict) else gate.class_floor
        if floor is None or value is None:
            continue
        passed = value >= floor
        text = f"F1 of class {name} is {value:.4f}, {'not ' if passed else ''}below {floor:g}"
        yield Check(name=f"class floor {name}", passed=passed, observed=value, required=f">= {floor:g}", reason=text)


def judge(spec: JobSpec, evaluation: Evaluation) -> GateVerdict:
    """Compare the candidate with the champion. Failed checks outweigh missing evidence; both outweigh success.

    Without per-sample results and without ``confidence``, ``minSamples`` or ``maxRegression``, upstream's
    condition decides alone, as upstream.
    """
    gate, condition = spec.deploy_spec.gate, spec.deploy_spec.trigger.condition
    pairs = _pair(evaluation, evaluation.judged)
    values = statistic(gate.metric, pairs.candidate), statistic(gate.metric, pairs.champion)
    checks: list[Check] = []
    interval: Interval | None = None
    # A job as upstream writes it has a condition and reports no results per sample. There the condition decides alone;
    # asking it for evidence that it never promised would reject every candidate.
    statistics_wanted = bool(len(pairs)) or condition is None or gate.confidence is not None or gate.min_samples > 1
    if statistics_wanted:
        checks.append(_evidence(gate, pairs, values))
    if values[0] is not None and values[1] is not None and len(pairs) >= gate.min_samples:
        if gate.confidence is not None:
            interval = paired_bootstrap(
                pairs.candidate,
                pairs.champion,
                gate.metric,
                confidence=gate.confidence,
                resamples=gate.resamples,
                seed=gate.seed,
            )
        if gate.confidence is not None or condition is None:
            checks.append(_improvement(gate, interval, values[0] - values[1]))
    holdout = _compare_holdout(gate, evaluation)
    checks += _regression(gate, evaluation, holdout)
    checks += _class_floors(gate, evaluation, spec.class_names)
    if condition is not None:
        checks.append(_condition_check(condition, delta_metrics(evaluation.candidate, evaluation.champion)))
    return GateVerdict(
        outcome=_outcome(checks),
        metric=gate.metric,
        candidate=values[0],
        champion=values[1],
        interval=interval,
        samples=len(pairs),
        holdout=holdout,
        checks=tuple(checks),
    )


def _outcome(checks: Sequence[Check]) -> GateOutcome:
    if any(check.passed is False for check in checks):
        return GateOutcome.NOT_BETTER
    if any(check.passed is None for check in checks):
        return GateOutcome.NOT_ENOUGH_EVIDENCE
    return GateOutcome.BETTER
