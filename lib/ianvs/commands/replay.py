"""``ianvs replay``: a production job's description over a recorded stream, as a benchmark.

The job's algorithm, miner, triggers, gate and audit are taken over as they are. The benchmark's yaml files are written
into the workspace, so that the run can be repeated and changed with ``ianvs -f``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from ianvs.cases.workspace import make_folder
from ianvs.commands.arguments import add_job_file, job_file
from ianvs.commands.run import run
from ianvs.grammar import Findings
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.picture_limits import BITS_VARIABLE
from sedna.common.validation import every_fault
from sedna.common.yaml12 import load_yaml_file
from sedna.loop.spec import Dataset, IncrementalLearningJob, JobSpec, Model

BUILT_IN_METRICS = "ianvs.metrics.builtin"
_D = TypeVar("_D", Model, Dataset, IncrementalLearningJob)


@dataclass(frozen=True)
class JobDocuments:
    """A job with what its file says about the objects that it names."""

    file: str
    job: IncrementalLearningJob
    models: dict[str, Model]
    datasets: dict[str, Dataset]

    @property
    def name(self) -> str:
        return self.job.metadata.name

    def beside(self, url: str) -> str:
        """A path of the file, which is relative to it."""
        beside = Path(self.file).parent / url
        return str(beside if beside.exists() else url)


def main(words: Sequence[str]) -> int:
    """Write the benchmark and run it; the exit code of the run."""
    parser = make_parser()
    options = parser.parse_args(words)
    documents = read_job(job_file(parser, options))
    folder = write_benchmark(documents, options)
    sys.stderr.write(f"ianvs: the benchmark is in {folder}\n")
    bits = documents.job.spec.pictures.bits_per_sample
    if bits is not None:  # a benchmark has no such key: its processes read the variable
        os.environ[BITS_VARIABLE] = str(bits)
        sys.stderr.write(f"ianvs: its pictures are read with {BITS_VARIABLE}={bits}, as the job says\n")
    return run(str(folder / "benchmarkingjob.yaml"), jobs=options.jobs, resume=options.resume)


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(prog="ianvs replay", description="Run a production job over a recorded stream.")
    add_job_file(parser, "--job", "an IncrementalLearningJob, with its Dataset and Model")
    parser.add_argument(
        "--stream",
        default="",
        metavar="INDEX",
        help="recorded samples with labels, oldest first (default: its Dataset)",
    )
    parser.add_argument(
        "--test", default="", metavar="INDEX", help="samples that nothing is trained on (default: the holdoutUrl)"
    )
    parser.add_argument("--initial-model", default="", metavar="PATH", help="default: the Model in the same file")
    parser.add_argument("--rounds", type=int, default=2, help="pieces into which the stream is cut (default: 2)")
    parser.add_argument("--seconds-per-round", type=float, default=3600.0, help="the stream's time (default: 3600)")
    parser.add_argument("--metric", default="detection_f1", metavar="NAME[=FILE]", help="(default: detection_f1)")
    parser.add_argument("--workspace", default="./workspace", metavar="FOLDER")
    parser.add_argument("--edges", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--resume", action="store_true")
    return parser


def read_job(file: str) -> JobDocuments:
    """The job of a file, with the datasets and models beside it.

    Raises:
        SpecError, BenchmarkError: it holds no job or several, or its documents have faults; all of them are told.
    """
    documents = [entry for entry in load_yaml_file(file) if isinstance(entry, dict)]
    jobs = [entry for entry in documents if entry.get("kind") == "IncrementalLearningJob"]
    if len(jobs) != 1:
        raise SpecError(f"holds {len(jobs)} jobs", where=file, hint="one document of kind IncrementalLearningJob")
    findings = Findings()
    models = [_valid(Model, entry, file, findings) for entry in documents if entry.get("kind") == "Model"]
    datasets = [_valid(Dataset, entry, file, findings) for entry in documents if entry.get("kind") == "Dataset"]
    job = _valid(IncrementalLearningJob, jobs[0], file, findings)
    findings.raise_problems(file)
    assert job is not None, "else it is among the problems"
    return JobDocuments(
        file,
        job,
        {model.metadata.name: model for model in models if model is not None},
        {dataset.metadata.name: dataset for dataset in datasets if dataset is not None},
    )


def _valid(kind: type[_D], document: dict[str, Any], file: str, findings: Findings) -> _D | None:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        for fault in every_fault(error):
            findings.problem(SpecError(f"{kind.__name__}: {fault}", where=file))
        return None


def write_benchmark(documents: JobDocuments, options: argparse.Namespace) -> Path:
    """The folder with the benchmark's three files.

    Raises:
        SpecError: the job trains with a pod template, whose program cannot be called here.
        NotFoundError: the stream, the test data, the initial model or the metric's file is missing.
        BenchmarkError: several of these.
    """
    name = f"replay-{documents.name}"
    folder = Path(options.workspace) / name
    findings = Findings()
    initial = findings.attempt(lambda: _initial(documents, options))
    algorithm = findings.attempt(lambda: _algorithm(documents.job.spec, initial or "", Path(documents.file)))
    stream = findings.attempt(lambda: _index(documents, options.stream, "stream", "url"))
    test = findings.attempt(lambda: _index(documents, options.test, "test", "holdout_url"))
    metric = findings.attempt(lambda: _metric(options.metric))
    findings.raise_problems(documents.file)
    assert stream is not None
    assert test is not None
    assert metric is not None
    files = {
        "algorithm.yaml": {"algorithm": algorithm},
        "testenv.yaml": {"testenv": _testenv(documents, options, stream, test, metric)},
        "benchmarkingjob.yaml": {"benchmarkingjob": _benchmarkingjob(name, documents.name, folder, options)},
    }
    # Only now: a job with faults leaves no folder behind.
    make_folder(folder, f"--workspace {options.workspace}")
    for file, content in files.items():
        (folder / file).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def _existing(path: str, what: str) -> str:
    if not path or not Path(path).exists():
        raise NotFoundError(f"no such {what}", where=path or f"--{what.replace(' ', '-')}")
    return str(Path(path).resolve())


def _initial(documents: JobDocuments, options: argparse.Namespace) -> str:
    if options.initial_model:
        return _existing(options.initial_model, "initial model")
    name = documents.job.spec.initial_model.name
    model = documents.models.get(name)
    if model is None:
        raise NotFoundError(f"no Model {name!r} beside the job", where=documents.file, hint="--initial-model PATH")
    return _existing(documents.beside(model.spec.url), "initial model")


def _index(documents: JobDocuments, given: str, option: str, key: str) -> str:
    """The stream or the test data: as given, or as the job's Dataset names it."""
    dataset = documents.datasets.get(documents.job.spec.dataset.name)
    named = "" if dataset is None else getattr(dataset.spec, key) or ""
    if not given and not named:
        raise NotFoundError(f"--{option} is missing, and no Dataset beside the job names one", where=documents.file)
    return _existing(given or documents.beside(named), option)


def _metric(option: str) -> dict[str, str]:
    name, _, file = option.partition("=")
    return {"name": name, "url": _existing(file, "metric file") if file else BUILT_IN_METRICS}


def _algorithm(spec: JobSpec, initial: str, job_file: Path) -> dict[str, Any]:
    algorithm = spec.train_spec.algorithm
    if algorithm is None:
        raise SpecError(
            "trainSpec has a pod template", where=str(job_file), hint="trainSpec.algorithm: a registered class"
        )
    parameters: dict[str, Any] = dict(algorithm.parameters)
    # Built-in algorithms take the class names of the job; a class of the user's need not know the keyword.
    if spec.class_names and algorithm.module is None:
        parameters.setdefault("class_names", list(spec.class_names))
    miner = spec.deploy_spec.hard_example_mining
    module = job_file.parent / algorithm.module if algorithm.module else None
    return {
        "paradigm_type": "incrementallearning",
        "initial_model_url": initial,
        "incremental_learning_data_setting": {"train_ratio": spec.dataset.train_prob, "splitting_method": "default"},
        "modules": [
            {
                "type": "basemodel",
                "name": algorithm.name,
                **({"url": str(module.resolve())} if module is not None else {}),
                "hyperparameters": _single_values(parameters),
            },
            {
                "type": "hard_example_mining",
                "name": miner.name,
                "hyperparameters": _single_values(miner.as_dict()),
            },
        ],
    }


def _single_values(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: {"values": [value]}} for name, value in parameters.items()]


def _testenv(
    documents: JobDocuments, options: argparse.Namespace, stream: str, test: str, metric: dict[str, str]
) -> dict[str, Any]:
    def dumped(value: Any) -> Any:
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)

    spec = documents.job.spec
    judged_on_holdout = spec.deploy_spec.gate.max_regression is not None
    return {
        "dataset": {
            "train_index": stream,
            "test_index": test,
            "label_tokens": "rest",
            **({"holdout_index": test} if judged_on_holdout else {}),
        },
        "metrics": [
            metric,
            {"name": "samples_transfer_ratio"},
        ],
        "incremental_rounds": options.rounds,
        "class_names": list(spec.class_names),
        "trigger": dumped(spec.train_spec.trigger),
        "deploy_trigger": dumped(spec.deploy_spec.trigger),
        "gate": dumped(spec.deploy_spec.gate),
        "audit": dumped(spec.deploy_spec.audit),
        "replay": {"samples": "all"},
        "edges": options.edges,
        "stream": {"seconds_per_round": options.seconds_per_round},
    }


def _benchmarkingjob(name: str, algorithm: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "name": name,
        "workspace": options.workspace,
        "testenv": str((folder / "testenv.yaml").resolve()),
        "test_object": {
            "type": "algorithms",
            "algorithms": [{"name": algorithm, "url": str((folder / "algorithm.yaml").resolve())}],
        },
        "rank": {
            "sort_by": [{options.metric.partition("=")[0]: "descend"}],
            "selected_dataitem": {"hyperparameters": []},  # each has one value, the job's
        },
    }
