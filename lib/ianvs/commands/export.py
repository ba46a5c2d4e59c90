"""``ianvs export``: the algorithm that won a rank, as a production job's yaml."""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ianvs.cases.records import CASE, CaseRecord, ModuleRecord
from ianvs.commands.arguments import add_job_file, job_file
from ianvs.data import CaseDataset
from ianvs.data.index import read_lines
from ianvs.data.labels import LabelReader
from ianvs.grammar import AlgorithmConfig, Benchmark, Findings, load_benchmark
from ianvs.paradigms.incremental.versions import job_name
from ianvs.rank import RankFiles
from ianvs.rank.rows import URL
from sedna.common.atomic import write_atomic
from sedna.common.errors import DataError, NotFoundError, SpecError, UserError
from sedna.common.validation import as_error, every_fault
from sedna.labels.txt import format_line
from sedna.loop import spec

API_VERSION = "sedna.io/v1alpha1"
_KINDS = (spec.Dataset, spec.Model, spec.Model, spec.IncrementalLearningJob)


def main(words: Sequence[str]) -> int:
    """Write the yaml to a file or to standard output; 0."""
    parser = argparse.ArgumentParser(prog="ianvs export", description="Write the winner of a rank as a production job.")
    add_job_file(parser)
    parser.add_argument("--rank", type=int, default=1, help="which line of selected_rank.csv (default: 1)")
    parser.add_argument("--name", default="", help="name of the job (default: the algorithm's)")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    options = parser.parse_args(words)
    benchmark = load_benchmark(job_file(parser, options))
    target = None if options.output == "-" else _writable(Path(options.output))
    documents = exported(benchmark, ranked_case(benchmark, options.rank), options.name, target)
    text = yaml.safe_dump_all(documents, sort_keys=False)
    if target is None:
        sys.stdout.write(text)
    else:
        write_atomic(target, text.encode())
    return 0


def _writable(target: Path) -> Path:
    """A file to write; looked at first, since beside it the data's indexes are written too.

    Raises:
        SpecError: its folder is not there, or the file is a folder.
    """
    if not target.parent.is_dir() or target.is_dir():
        raise SpecError(f"-o {target}: cannot be written", hint="a file in a folder that is there")
    return target


def ranked_case(benchmark: Benchmark, place: int) -> CaseRecord:
    """The record of the test case at a place of ``selected_rank.csv``.

    Raises:
        NotFoundError: no rank, no such place, or its folder is gone.
        DataError: the file is no rank, or the record no record.
    """
    path = RankFiles.of(benchmark.workspace).selected
    if not path.exists():
        raise NotFoundError("there is no rank yet", where=str(path), hint=f"ianvs -f {benchmark.file}")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    if not 1 <= place <= len(rows):
        raise NotFoundError(f"there is no rank {place}", where=str(path), hint=f"1 to {len(rows)}")
    if not rows[place - 1].get(URL):
        raise DataError(f"is no rank: there is no {URL}", where=f"{path}:{place + 1}")
    folder = Path(rows[place - 1][URL])
    # With several seeds the url is the folder that they share; any of their records names the algorithm.
    found = [folder / CASE, *sorted(folder.glob(f"seed-*/{CASE}"))]
    for file in found:
        if file.exists():
            try:
                return CaseRecord.model_validate_json(file.read_bytes())
            except ValidationError as error:
                raise as_error(DataError, error, str(file), what="is no record of a test case") from error
    raise NotFoundError("the test case's record is gone", where=str(folder))


def exported(
    benchmark: Benchmark, case: CaseRecord, name: str = "", target: Path | None = None
) -> list[dict[str, Any]]:
    """Dataset, models and job, checked against production's grammar.

    Args:
        target: the file that they are for; the data's indexes are written beside it.

    Raises:
        SpecError: the algorithm is not incremental, has no miner, or says what production cannot.
    """
    algorithm = benchmark.algorithms[case.algorithm_index]
    if case.paradigm != "incrementallearning":
        raise SpecError(f"{case.algorithm!r} is {case.paradigm}", hint="incremental learning can be exported")
    modules = {module.type: module for module in case.modules}
    if "hard_example_mining" not in modules:
        raise SpecError(f"{case.algorithm!r} has no miner", hint="a module of type hard_example_mining")
    name = name or job_name(case.algorithm)
    data, class_names = _data(benchmark, target)
    documents = [
        _object("Dataset", f"{name}-data", {"format": "txt", **data}),
        _object(
            "Model", f"{name}-initial", {"url": _absolute(algorithm.initial_model_url), "format": _format(algorithm)}
        ),
        _object("Model", f"{name}-serving", {"url": f"/models/{name}", "format": _format(algorithm)}),
        _object("IncrementalLearningJob", name, _spec(benchmark, algorithm, modules, name, class_names)),
    ]
    findings = Findings()
    for kind, document in zip(_KINDS, documents, strict=True):
        try:
            kind.model_validate(document)
        except ValidationError as error:
            for fault in every_fault(error):
                problem = f"cannot be said in a production job: {kind.__name__}: {fault}"
                findings.problem(SpecError(problem, where=case.algorithm))
    findings.raise_problems(benchmark.file)
    return documents


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if path else ""


def _format(algorithm: AlgorithmConfig) -> str:
    return Path(algorithm.initial_model_url).suffix.lstrip(".") or "safetensors"


def _data(benchmark: Benchmark, target: Path | None) -> tuple[dict[str, str], tuple[str, ...]]:
    """Where the data is, in production's txt form, and the class names.

    Production reads paths with boxes or a class number. An index of another form (relative paths, Pascal VOC files) is
    written anew beside ``target``; if that cannot be, samples have to come from edges.
    """
    config = benchmark.testenv.dataset
    urls: dict[str, str] = {"url": ""}
    names = tuple(benchmark.testenv.class_names)
    with tempfile.TemporaryDirectory(prefix="ianvs-export-") as folder:
        dataset = CaseDataset(config, folder)
        try:
            for key, index, part in (("url", dataset.train_url, "stream"), ("holdoutUrl", dataset.test_url, "holdout")):
                reader = LabelReader.of(index, names)
                names = reader.class_names
                lines = [line.partition(" ") for line in read_lines(index)]
                if target is not None:
                    file = target.with_name(f"{target.stem}-{part}.txt")
                    text = (f"{format_line(sample, reader.read(label.strip()))}\n" for sample, _, label in lines)
                    write_atomic(file, "".join(text).encode())
                    urls[key] = file.name
                # An index that was made absolute lies in the temporary folder, and annotations need converting.
                elif index in (config.train, config.test) and not any(label.endswith(".xml") for *_, label in lines):
                    urls[key] = _absolute(index)
        except UserError as error:  # labels of another kind, say texts: the job is of use without its data
            sys.stderr.write(f"ianvs: the Dataset has no url, samples have to come from edges: {error}\n")
    if target is None and not urls["url"]:
        sys.stderr.write("ianvs: the Dataset has no url; with -o FILE its samples are listed beside the file\n")
    return urls, names


def _spec(
    benchmark: Benchmark,
    algorithm: AlgorithmConfig,
    modules: dict[str, ModuleRecord],
    name: str,
    class_names: tuple[str, ...],
) -> dict[str, Any]:
    testenv = benchmark.testenv
    deploy: dict[str, Any] = {
        "model": {"name": f"{name}-serving", "hotUpdateEnabled": True},
        "hardExampleMining": {
            "name": modules["hard_example_mining"].name,
            "parameters": [
                {"key": key, "value": value} for key, value in modules["hard_example_mining"].values.items()
            ],
        },
    }
    judge = testenv.model_eval
    if testenv.deploy_trigger is not None:
        deploy["trigger"] = testenv.deploy_trigger
    elif judge.model_metric.name:
        metric = f"{judge.model_metric.name}_delta"
        deploy["trigger"] = {"condition": {"operator": judge.operator, "threshold": judge.threshold, "metric": metric}}
    ours = {"gate": testenv.gate, "audit": testenv.audit}
    deploy |= {key: value for key, value in ours.items() if value is not None}
    return {
        "dataset": {
            "name": f"{name}-data",
            "trainProb": algorithm.incremental_learning_data_setting.train_ratio,
        },
        "initialModel": {"name": f"{name}-initial"},
        "classNames": list(class_names),
        "trainSpec": {
            "algorithm": {
                "name": modules["basemodel"].name,
                **({"module": _absolute(modules["basemodel"].url)} if modules["basemodel"].url else {}),
                "parameters": modules["basemodel"].values,
            },
            "trigger": testenv.trigger or {},
        },
        "deploySpec": deploy,
    }
