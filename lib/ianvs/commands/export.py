"""``ianvs export``: the algorithm that won a rank, as a production job's yaml."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ianvs.grammar import Algorithm, Benchmark, load_benchmark
from ianvs.rank import RankFiles
from ianvs.rank.rows import URL
from ianvs.runner.records import CASE, CaseRecord, ModuleRecord
from ianvs.versions import job_name
from sedna.common.atomic import write_atomic
from sedna.common.errors import NotFoundError, SpecError
from sedna.loop.spec import Dataset, IncrementalLearningJob, Model

API_VERSION = "sedna.io/v1alpha1"


def main(words: Sequence[str]) -> int:
    """Write the yaml to a file or to standard output; 0."""
    parser = argparse.ArgumentParser(prog="ianvs export", description="Write the winner of a rank as a production job.")
    parser.add_argument("-f", "--benchmarking_config_file", metavar="FILE", required=True)
    parser.add_argument("--rank", type=int, default=1, help="which line of selected_rank.csv (default: 1)")
    parser.add_argument("--name", default="", help="name of the job (default: the algorithm's)")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="default: standard output")
    options = parser.parse_args(words)
    benchmark = load_benchmark(options.benchmarking_config_file)
    documents = exported(benchmark, ranked_case(benchmark, options.rank), options.name)
    text = yaml.safe_dump_all(documents, sort_keys=False)
    if options.output == "-":
        sys.stdout.write(text)
    else:
        write_atomic(options.output, text.encode())
    return 0


def ranked_case(benchmark: Benchmark, place: int) -> CaseRecord:
    """The record of the test case at a place of ``selected_rank.csv``.

    Raises:
        NotFoundError: no rank, no such place, or its folder is gone.
    """
    path = RankFiles.of(benchmark.workspace).selected
    if not path.exists():
        raise NotFoundError("there is no rank yet", where=str(path), hint=f"ianvs -f {benchmark.file}")
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    if not 1 <= place <= len(rows):
        raise NotFoundError(f"there is no rank {place}", where=str(path), hint=f"1 to {len(rows)}")
    folder = Path(rows[place - 1][URL])
    found = [folder / CASE, *sorted(folder.glob(f"seed-*/{CASE}"))]
    for file in found:
        if file.exists():
            return CaseRecord.model_validate_json(file.read_bytes())
    raise NotFoundError("the test case's record is gone", where=str(folder))


def exported(benchmark: Benchmark, case: CaseRecord, name: str = "") -> list[dict[str, Any]]:
    """Dataset, models and job, checked against production's grammar.

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
    documents = [
        _object("Dataset", f"{name}-data", {"url": _absolute(benchmark.testenv.dataset.train), "format": "txt"}),
        _object(
            "Model", f"{name}-initial", {"url": _absolute(algorithm.initial_model_url), "format": _format(algorithm)}
        ),
        _object("Model", f"{name}-serving", {"url": f"/models/{name}", "format": _format(algorithm)}),
        _object("IncrementalLearningJob", name, _spec(benchmark, algorithm, modules, name)),
    ]
    for kind, document in zip((Dataset, Model, Model, IncrementalLearningJob), documents, strict=True):
        try:
            kind.model_validate(document)
        except ValueError as error:
            raise SpecError(f"cannot be said in a production job: {error}", where=case.algorithm) from error
    return documents


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if path else ""


def _format(algorithm: Algorithm) -> str:
    return Path(algorithm.initial_model_url).suffix.lstrip(".") or "safetensors"


def _spec(benchmark: Benchmark, algorithm: Algorithm, modules: dict[str, ModuleRecord], name: str) -> dict[str, Any]:
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
        "classNames": list(testenv.class_names),
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
