"""What a worker needs before it starts: its samples, its models, its environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from globalmanager.db import datasets, pool, rounds
from globalmanager.db.values import DatasetVersionRow, JobRow
from globalmanager.engine.described import baseline_path, model_path, model_spec, start_path
from globalmanager.engine.seams import EngineSeams
from globalmanager.runtimes.base import Kind, WorkerSpec
from sedna.common.atomic import write_atomic
from sedna.loop.actions import EnsureWorker
from sedna.loop.spec import Algorithm, Limits
from sedna.loop.state import Stage
from sedna.store.datasets import (
    DatasetCounts,
    DatasetEntry,
    DatasetManifest,
    DatasetPart,
    DatasetRef,
    read_dataset,
    write_dataset,
)
from sedna.store.materialise import materialise, materialise_unlabelled
from sedna.store.models import load_manifest

REPORT = "report.json"
OUTPUT = "model"
ALGORITHM = "algorithm.json"
CHECKPOINTS = "checkpoints-"

HOST_ROOT = "/"
"""Upstream's workers cut ``DATA_PATH_PREFIX``, where a container has the host's folders, from the paths they report. A
process sees the host as it is; left unset, the SDK's default would shorten every path below a real /home/data."""


@dataclass(frozen=True)
class EvaluationSamples:
    """Which samples judge a candidate: ``judged`` are fresh, ``holdout`` nobody ever trains on."""

    judged: frozenset[str]
    holdout: frozenset[str]


def dataset_of(seams: EngineSeams, job: JobRow, number: int) -> DatasetManifest:
    """The dataset version of a round, as the store has it; written now if it is not there yet."""
    with seams.db.read() as session:
        row = rounds.get(session, job.id, number)
        assert row.dataset_version is not None, "training and evaluating rounds have a dataset version"
        version = datasets.get(session, job.id, row.dataset_version)
    if version.manifest_key is None or version.manifest_sha256 is None:
        ref = _write_manifest(seams, job, version)
    else:
        ref = DatasetRef(
            job=job.key,
            version=version.version,
            key=version.manifest_key,
            sha256=version.manifest_sha256,
            counts=DatasetCounts(train=version.train, eval=version.eval, holdout=version.holdout),
        )
    return read_dataset(seams.store, ref)


def _write_manifest(seams: EngineSeams, job: JobRow, version: DatasetVersionRow) -> DatasetRef:
    with seams.db.read() as session:
        members = datasets.members(session, job.id, version.label_seq)
        entries = [_entry(member, version.round) for member in members]
    names = job.spec.class_names or _numbered(entries)
    ref = write_dataset(seams.store, job.key, version.version, version.parent, entries, class_names=names)
    with seams.write() as session:
        datasets.set_manifest(session, job.id, version.version, ref.key, ref.sha256)
    return ref


def _entry(member: datasets.Member, number: int) -> DatasetEntry:
    """New is what no earlier round than ``number`` has learned from; one that failed gave its samples back."""
    return DatasetEntry(
        sample_id=member.sample_id,
        extension=member.extension,
        part=DatasetPart(member.part),
        annotation=member.annotation,
        picked=member.picked,
        new=member.round_used in (None, number),
        round=member.round_used,
    )


def _numbered(entries: list[DatasetEntry]) -> tuple[str, ...]:
    """Class names of a job that gives none, as upstream's jobs do not."""
    labels = [box.label for entry in entries for box in entry.annotation.boxes]
    labels += [entry.annotation.label for entry in entries if entry.annotation.label is not None]
    return tuple(str(number) for number in range(max(labels, default=-1) + 1))


def evaluation_samples(dataset: DatasetManifest, history: int) -> EvaluationSamples:
    """The hold-out, and the evaluation share of the newest ``history`` rounds with what no round has used yet.

    Older evaluation samples were looked at by so many gates that the models in service are selected for them.
    """
    share = [entry for entry in dataset.entries if entry.part is DatasetPart.EVAL]
    rounds_used = {entry.round for entry in dataset.entries if entry.round is not None}
    fresh = {None, *sorted(rounds_used, reverse=True)[:history]}
    return EvaluationSamples(
        judged=frozenset(entry.sample_id for entry in share if entry.round in fresh),
        holdout=frozenset(entry.sample_id for entry in dataset.entries if entry.part is DatasetPart.HOLDOUT),
    )


def train_spec(seams: EngineSeams, job: JobRow, effect: EnsureWorker, name: str, folder: Path) -> WorkerSpec:
    """The training worker of an attempt, with everything it needs in place."""
    index = folder / "train.txt"
    dataset = dataset_of(seams, job, effect.round)
    materialise(seams.store, job.key, dataset.entries, seams.image_dir, index, parts=(DatasetPart.TRAIN,))
    output = folder / OUTPUT
    output.mkdir(exist_ok=True)
    # Attempts of a round share checkpoints, unless the model to start from was replaced in between.
    checkpoints = seams.job_dir(job) / str(effect.round) / f"{CHECKPOINTS}{effect.champion}"
    checkpoints.mkdir(exist_ok=True)
    env = _environment(seams, job, name, folder, index) | {
        "TRAIN_DATASET_URL": str(index),
        "BASE_MODEL_URL": str(start_path(seams, job, effect.champion)),
        "MODEL_URL": str(output),
        "CHECKPOINT_DIR": str(checkpoints),
    }
    spec = job.spec.train_spec
    if spec.unlabelled_samples:
        env["UNLABELLED_DATASET_URL"] = str(_unlabelled_index(seams, job, effect.round))
    algorithm = spec.algorithm and _fixed(folder, _with(spec.algorithm, effect.parameters))
    return _spec(job, effect, name, folder, "train", env, algorithm, spec.template, spec.limits)


def _with(algorithm: Algorithm, parameters: Mapping[str, JsonValue]) -> Algorithm:
    return algorithm.model_copy(update={"parameters": {**algorithm.parameters, **parameters}})


def _fixed(folder: Path, algorithm: Algorithm) -> Algorithm:
    """What an attempt trains with, from its first preparation on: the job may be edited while its worker runs."""
    path = folder / ALGORITHM
    if not path.exists():
        write_atomic(path, algorithm.model_dump_json(by_alias=True).encode())
    return Algorithm.model_validate_json(path.read_bytes())


def trained_with(job: JobRow, folder: Path) -> Algorithm | None:
    """The algorithm of the training worker that had this folder; None for a user's own program."""
    path = folder / ALGORITHM
    return Algorithm.model_validate_json(path.read_bytes()) if path.exists() else job.spec.train_spec.algorithm


def _unlabelled_index(seams: EngineSeams, job: JobRow, number: int) -> Path:
    """The samples without a label that a round learns from, chosen once: a further attempt goes on from checkpoints
    that know them."""
    index = seams.job_dir(job) / str(number) / "unlabelled.txt"
    if index.exists():
        paths = [Path(line) for line in index.read_text().splitlines()]
        chosen = [(path.stem, path.suffix.removeprefix(".")) for path in paths]
    else:
        with seams.db.read() as session:
            found = pool.newest(session, job.id, job.spec.train_spec.unlabelled_samples)
        chosen = [(sample.sample_id, sample.extension) for sample in found]
    materialise_unlabelled(seams.store, job.key, chosen, seams.image_dir, index)
    return index


def eval_spec(seams: EngineSeams, job: JobRow, effect: EnsureWorker, name: str, folder: Path) -> WorkerSpec | None:
    """The evaluation worker of an attempt; None when there is no sample to look at."""
    assert effect.candidate is not None, "an evaluation has a candidate"
    dataset = dataset_of(seams, job, effect.round)
    samples = evaluation_samples(dataset, seams.settings.eval_history_rounds)
    wanted = samples.judged | samples.holdout
    if not wanted:
        return None
    index = folder / "test.txt"
    entries = [entry for entry in dataset.entries if entry.sample_id in wanted]
    materialise(seams.store, job.key, entries, seams.image_dir, index)
    served = model_spec(seams, job, job.spec.deploy_spec.model.name)[0].format
    candidate = model_path(seams, job, effect.candidate, served)
    pair = (str(candidate), str(baseline_path(seams, job, effect.champion)))
    env = _environment(seams, job, name, folder, index) | {"TEST_DATASET_URL": str(index), "MODEL_URLS": ";".join(pair)}
    spec = job.spec.eval_spec
    algorithm = _evaluator(seams, job, effect)
    return _spec(job, effect, name, folder, "eval", env, algorithm, spec.template, spec.limits)


def _evaluator(seams: EngineSeams, job: JobRow, effect: EnsureWorker) -> Algorithm | None:
    """Without one of its own, an evaluation opens the candidate as edges will: with what it was trained with."""
    algorithm = job.spec.evaluation_algorithm
    if algorithm is None or job.spec.eval_spec.algorithm is not None:
        return algorithm and _with(algorithm, effect.parameters)
    assert effect.candidate is not None, "an evaluation has a candidate"
    candidate = load_manifest(seams.store, job.key, effect.candidate)
    recorded = candidate.parameters if candidate.algorithm == algorithm.name else {}
    return _with(algorithm, {**recorded, **effect.parameters})


def _environment(seams: EngineSeams, job: JobRow, name: str, folder: Path, index: Path) -> dict[str, str]:
    env = {
        "NAMESPACE": job.key.namespace,
        "JOB_NAME": job.key.name,
        "WORKER_NAME": name,
        "DATA_PATH_PREFIX": HOST_ROOT,
        "ORIGINAL_DATASET_URL": str(index),
        "REPORT_PATH": str(folder / REPORT),
        "PROGRESS_PATH": str(folder / "progress.jsonl"),
    }
    if job.spec.class_names:  # a template of upstream's may bring its own
        env["CLASS_NAMES"] = json.dumps(list(job.spec.class_names))
    if seams.settings.lc_server:
        env["LC_SERVER"] = seams.settings.lc_server
    return env


def _spec(
    job: JobRow,
    effect: EnsureWorker,
    name: str,
    folder: Path,
    kind: Kind,
    env: dict[str, str],
    algorithm: Algorithm | None,
    template: dict[str, JsonValue] | None,
    limits: Limits,
) -> WorkerSpec:
    if algorithm is not None:
        env = env | _algorithm(algorithm)
    return WorkerSpec(
        name=name,
        job=job.key,
        round=effect.round,
        attempt=effect.attempt,
        kind=kind,
        template=template,
        env=env,
        work_dir=folder,
        timeout_seconds=limits.timeout_seconds,
        memory_mib=limits.memory_mib,
        threads=limits.threads,
    )


def _algorithm(algorithm: Algorithm) -> dict[str, str]:
    env = {"ALGORITHM": algorithm.name, "ALGORITHM_PARAMETERS": json.dumps(algorithm.parameters)}
    return env if algorithm.module is None else env | {"ALGORITHM_MODULE": algorithm.module}


BUILDERS = {Stage.TRAINING: train_spec, Stage.EVALUATING: eval_spec}
