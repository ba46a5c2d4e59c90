"""Reading a job file with everything that it names; every mistake of all files is found in one go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches

from ianvs.grammar.algorithm import INCREMENTAL, LIFELONG, OTHER_PARADIGMS, SUPPORTED_PARADIGMS, AlgorithmConfig
from ianvs.grammar.findings import Findings
from ianvs.grammar.job import Benchmark, BenchmarkingJob
from ianvs.grammar.known_names import check_algorithm_names, check_rank
from ianvs.grammar.section import Draft, read_section
from ianvs.grammar.testenv import METADATA, TestEnv
from sedna.common.errors import SpecError

_USED_MODULES = {INCREMENTAL: ("basemodel", "hard_example_mining")}
_NAME_BYTES = 255
"""Longest name of a folder on the file systems of Linux and macOS."""


@dataclass(frozen=True)
class BenchmarkDraft:
    """A benchmark as far as its files could be read.

    ``algorithms`` are those that further checks make sense for: one that is refused as a whole is left out.
    """

    file: str
    job: Draft[BenchmarkingJob] | None
    testenv: Draft[TestEnv] | None
    algorithms: tuple[Draft[AlgorithmConfig], ...]
    files: tuple[str, ...]
    findings: Findings

    def benchmark(self) -> Benchmark:
        """The benchmark.

        Raises:
            SednaError, BenchmarkError: it has one mistake, or several.
        """
        self.findings.raise_problems(self.file)
        assert self.job is not None, "a section that cannot be read at all is a problem"
        assert self.testenv is not None
        return Benchmark(
            file=self.file,
            job=self.job.section,
            testenv=self.testenv.section,
            algorithms=tuple(draft.section for draft in self.algorithms),
            files=self.files,
            notes=(*self.findings.notes, *self.findings.warnings),
        )


def load_benchmark(path: str) -> Benchmark:
    """Read a job file and all that it names.

    Raises:
        SpecError, NotFoundError: with file, key path, value and what is allowed.
        BenchmarkError: several of them.
    """
    return read_benchmark(path).benchmark()


def read_benchmark(path: str) -> BenchmarkDraft:
    """Read a job file and all that it names, as far as that goes; what is wrong is in ``findings``."""
    findings = Findings()
    job = read_section(BenchmarkingJob, path, "benchmarkingjob", findings)
    testenv: Draft[TestEnv] | None = None
    algorithms: list[Draft[AlgorithmConfig]] = []
    files = [path]
    unreadable = False
    if job is not None:
        testenv_file = job.get("testenv")
        if testenv_file:
            files.append(testenv_file)
            testenv = read_section(TestEnv, testenv_file, "testenv", findings)
        compared = job.get("test_object")
        for entry in (getattr(compared, "algorithms", None) or ()) if compared else ():
            files.append(entry.url)
            # The name in the algorithm's own file wins, as upstream's does: it is read over this one.
            draft = read_section(AlgorithmConfig, entry.url, "algorithm", findings, {"name": entry.name})
            if draft is not None:
                _check_name(draft, path, findings)
                algorithms.append(_with_paradigm_meant(draft))
            unreadable |= draft is None
        check_algorithm_names(algorithms, path, findings)
        whole = job.sound("test_object") and not unreadable
        check_rank(job, testenv, algorithms if whole else None, findings)
    usable = [draft for draft in algorithms if _is_run_here(draft, findings)]
    for draft in usable:
        _check_modules(draft, testenv, findings)
        if testenv is not None:
            _check_data(draft, testenv, findings)
    return BenchmarkDraft(path, job, testenv, tuple(usable), tuple(dict.fromkeys(files)), findings)


def _check_name(algorithm: Draft[AlgorithmConfig], job_file: str, findings: Findings) -> None:
    """Names are folders of the workspace."""
    if not algorithm.sound("name"):
        return
    name = algorithm.section.name
    if not name or name in (".", "..") or "/" in name or "\0" in name or len(name.encode()) > _NAME_BYTES:
        findings.problem(
            SpecError(
                f"algorithm name {name!r}: it becomes a folder of the workspace",
                where=f"{job_file}: benchmarkingjob.test_object.algorithms",
                hint=f"a name without '/' of at most {_NAME_BYTES} bytes",
            )
        )


def _with_paradigm_meant(algorithm: Draft[AlgorithmConfig]) -> Draft[AlgorithmConfig]:
    """With the paradigm that a misspelt one must mean, so that what it needs is checked in the same go."""
    given = algorithm.given.get("paradigm_type")
    if algorithm.sound("paradigm_type") or not isinstance(given, str):
        return algorithm
    meant = get_close_matches(given, (*SUPPORTED_PARADIGMS, *OTHER_PARADIGMS), n=1)
    if not meant:
        return algorithm
    return replace(algorithm, section=algorithm.section.model_copy(update={"paradigm_type": meant[0]}))


def _is_run_here(algorithm: Draft[AlgorithmConfig], findings: Findings) -> bool:
    """Whether the paradigm, and the kind of basemodel under it, is one that is run here.

    What else such an algorithm lacks is not told: whoever mended it would only meet the refusal then. One whose
    paradigm cannot even be guessed is checked for what every paradigm needs.
    """
    if algorithm.section.paradigm_type in OTHER_PARADIGMS:
        return False
    if algorithm.section.paradigm_type == LIFELONG and algorithm.sound("modules"):
        own = algorithm.section.module("basemodel")
        if own is not None and own.url:
            findings.problem(
                SpecError(
                    f"algorithm.modules: the basemodel {own.name!r} has a file of its own ({own.url}), and own "
                    f"basemodels are not run under {LIFELONG}, only methods of sedna.algorithms.continual by name",
                    where=algorithm.file,
                ),
                decisive=True,
            )
            return False
    return True


def _check_modules(algorithm: Draft[AlgorithmConfig], testenv: Draft[TestEnv] | None, findings: Findings) -> None:
    paradigm = algorithm.section.paradigm_type
    if algorithm.sound("modules"):
        if algorithm.section.module("basemodel") is None:
            findings.problem(
                SpecError(
                    f"algorithm.modules: no module of type basemodel, which {paradigm or 'every paradigm'} needs",
                    where=algorithm.file,
                    hint="modules: [{type: basemodel, name: MyModel, url: ./basemodel.py}]",
                )
            )
        # Upstream's examples carry modules of other paradigms; ignoring them silently would look like using them.
        used = _USED_MODULES.get(paradigm, ("basemodel",))
        for module in algorithm.section.modules if paradigm else ():
            if module.type not in used:
                findings.note(
                    f"{algorithm.file}: algorithm.modules: {paradigm} does not use {module.name!r}, a {module.type}"
                )
    if paradigm == INCREMENTAL and testenv is not None:
        _check_judge(testenv, findings)


def _check_judge(testenv: Draft[TestEnv], findings: Findings) -> None:
    """Incremental learning compares models, by a metric that has a function or by a gate."""
    if not testenv.sound("model_eval.model_metric", "gate", "deploy_trigger"):
        return
    metric = testenv.section.model_eval.model_metric
    example = "model_metric: {name: f1_score, url: ./testenv/f1_score.py}"
    if not metric.name and not testenv.section.judged_by_gate:
        findings.problem(
            SpecError(
                "testenv.model_eval.model_metric is missing: it decides which model serves",
                where=testenv.file,
                hint=f"{example}, or a gate",
            )
        )
    if metric.name and not metric.url:
        findings.problem(
            SpecError(f"testenv.model_eval.model_metric {metric.name!r} has no url", where=testenv.file, hint=example)
        )


def _check_data(algorithm: Draft[AlgorithmConfig], testenv: Draft[TestEnv], findings: Findings) -> None:
    """Lifelong learning runs over a task set, everything else over train and test data."""
    if algorithm.section.paradigm_type == LIFELONG:
        if testenv.sound("tasks") and testenv.section.tasks is None:
            findings.problem(
                SpecError(
                    f"testenv.tasks is missing: {algorithm.section.name!r} is {LIFELONG}, which runs over task sets",
                    where=testenv.file,
                    hint="tasks: {config: a configuration of sedna.algorithms.continual}",
                )
            )
        return
    if not algorithm.section.paradigm_type or not testenv.sound("dataset"):
        return
    for part, url in (("train", testenv.section.dataset.train), ("test", testenv.section.dataset.test)):
        if not url:
            findings.problem(
                SpecError(
                    f"testenv.dataset has no {part} data",
                    where=testenv.file,
                    hint=f"{part}_index (txt, csv, json), {part}_data (jsonl) or {part}_data_info ({METADATA})",
                )
            )
