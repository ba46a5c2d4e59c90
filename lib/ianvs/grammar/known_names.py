"""Names that one file of a benchmark uses for what another one defines: columns of the rank, and algorithms.

Upstream tolerates all of them: it skips a metric that no result has, and leaves a column that nothing fills empty. So
they are warnings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from ianvs.grammar.algorithm import OTHER_HYPERPARAMETERS, AlgorithmConfig, Module
from ianvs.grammar.findings import Findings
from ianvs.grammar.job import BenchmarkingJob
from ianvs.grammar.rank import ALL, RankConfig, SelectedItems
from ianvs.grammar.reading import did_you_mean
from ianvs.grammar.section import Draft
from ianvs.grammar.testenv import TestEnv

_RANK = "benchmarkingjob.rank"

Names = frozenset[str] | None
"""Names that are defined; None where the file that would tell cannot be read."""


def check_algorithm_names(algorithms: Iterable[Draft[AlgorithmConfig]], job_file: str, findings: Findings) -> None:
    """Warn of algorithms that rank, report and folders do not tell apart."""
    names = [draft.section.name for draft in algorithms if draft.sound("name")]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            findings.warn(
                f"{job_file}: benchmarkingjob.test_object.algorithms: {names.count(name)} algorithms are called "
                f"{name!r}; each of them runs, and nothing in the rank tells them apart"
            )


def check_rank(
    job: Draft[BenchmarkingJob],
    testenv: Draft[TestEnv] | None,
    algorithms: Sequence[Draft[AlgorithmConfig]] | None,
    findings: Findings,
) -> None:
    """Warn of names in ``rank`` that no result of this job will have.

    Args:
        algorithms: all of the job; None if one of them cannot be read.
    """
    rank: RankConfig | None = job.get("rank")
    if rank is None:
        return
    metrics = _with_seeds(_metrics(testenv), job)
    no_metric = "no metric of the test environment is called"
    for entry in rank.sort_by or ():
        _check(job.file, "sort_by", no_metric, entry, metrics, "it decides nothing", findings)
    chosen: SelectedItems | None = rank.selected_dataitem
    if chosen is None:
        return
    no_type, no_parameter = "no algorithm of the job has a module of type", "no algorithm of the job has"
    empty = "its column stays empty"
    for key, what, known, effect in (
        ("paradigms", "no algorithm of the job has the paradigm", _paradigms(algorithms), "it selects no row"),
        ("modules", no_type, _module_types(algorithms), empty),
        ("hyperparameters", no_parameter, _hyperparameters(algorithms, job), empty),
        ("metrics", no_metric, metrics, empty),
    ):
        names = getattr(chosen, key) or ()
        if names != ALL:
            _check(job.file, f"selected_dataitem.{key}", what, names, known, effect, findings)


def _check(
    file: str, place: str, what: str, names: Iterable[str], known: Names, effect: str, findings: Findings
) -> None:
    for name in names:
        if (
            name in ALL and place != "sort_by"
        ):  # upstream's as well: only the list of this one word stands for everything
            findings.warn(f"{file}: {_RANK}.{place}: 'all' beside other names does not stand for all of them")
        elif known is not None and name not in known:
            there = f"known: {', '.join(sorted(known)) or 'none'}"
            meant = did_you_mean(name, [*sorted(known), *(() if place == "sort_by" else ALL)])
            findings.warn(f"{file}: {_RANK}.{place}: {what} {name!r}, {effect}; {there}{meant}")


def _metrics(testenv: Draft[TestEnv] | None) -> Names:
    if testenv is None:
        return None
    entries = testenv.given.get("metrics")
    if not isinstance(entries, list):
        return None
    # "f1" in place of {name: f1} is a mistake of its own, and not one of who sorts by it.
    return frozenset(str(entry.get("name") if isinstance(entry, Mapping) else entry) for entry in entries)


def _with_seeds(metrics: Names, job: Draft[BenchmarkingJob]) -> Names:
    """With several seeds the rank has further columns."""
    if metrics is None or not job.given.get("seeds"):
        return metrics
    return metrics | {f"{name}_ci95" for name in metrics} | {"seeds"}


def _paradigms(algorithms: Sequence[Draft[AlgorithmConfig]] | None) -> Names:
    if algorithms is None or not all(draft.section.paradigm_type for draft in algorithms):
        return None
    return frozenset(draft.section.paradigm_type for draft in algorithms)


def _module_types(algorithms: Sequence[Draft[AlgorithmConfig]] | None) -> Names:
    entries = _modules_given(algorithms)
    return None if entries is None else frozenset(str(entry.get("type")) for entry in entries)


def _hyperparameters(algorithms: Sequence[Draft[AlgorithmConfig]] | None, job: Draft[BenchmarkingJob]) -> Names:
    entries = _modules_given(algorithms)
    if algorithms is None or entries is None:
        return None
    names = {name for draft in algorithms for module in draft.get("modules") or () for name in _columns(module)}
    for entry in entries:
        listed = entry.get("hyperparameters")
        for one in listed if isinstance(listed, list) else ():
            names |= {f"{entry.get('type')}-{name}" for name in one} if isinstance(one, Mapping) else set()
    if any(name.endswith(f"-{OTHER_HYPERPARAMETERS}") for name in names):
        if not all(draft.sound("modules") for draft in algorithms):
            return None  # which names its files hold is known only of modules that can be read
        names = {name for name in names if not name.endswith(f"-{OTHER_HYPERPARAMETERS}")}
    seed = job.get("seed_parameter")
    return frozenset({*names, *([f"basemodel-{seed}"] if seed else [])})


def _columns(module: Module) -> Iterable[str]:
    names = [name for name in module.hyperparameters if name != OTHER_HYPERPARAMETERS]
    for merged in module.hyperparameters.get(OTHER_HYPERPARAMETERS, ()):
        names += merged
    return [f"{module.type}-{name}" for name in names]


def _modules_given(algorithms: Sequence[Draft[AlgorithmConfig]] | None) -> list[Mapping[str, Any]] | None:
    """The modules as the files have them; None if a file has something else in their place."""
    lists: Collection[Any] = [draft.given.get("modules") for draft in algorithms or ()]
    if algorithms is None or not all(isinstance(entries, list) for entries in lists):
        return None
    return [entry for entries in lists for entry in entries if isinstance(entry, Mapping)]
