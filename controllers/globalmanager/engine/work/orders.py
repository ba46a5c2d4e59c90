"""The order of an attempt: made once, written to the store, and read from there ever after."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from globalmanager.db import datasets, pool, resources, rounds
from globalmanager.db.values import DatasetVersionRow, JobRow
from globalmanager.engine.seams import EngineSeams
from globalmanager.engine.work.described import baseline_model, model_spec, start_model, version_model
from globalmanager.engine.work.openers import Opener, current_module, opener_of, with_parameters
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey
from sedna.core.staging.order import (
    Kind,
    OrderedModel,
    UnlabelledSample,
    WorkOrder,
    evaluation_samples,
    load_order,
    read_unlabelled,
    unlabelled_lines,
)
from sedna.loop.actions import EnsureWorker
from sedna.loop.spec import DatasetSpec, EvalSpec, TrainSpec
from sedna.loop.state import Stage
from sedna.store.dataset_values import DatasetCounts, DatasetEntry, DatasetManifest, DatasetPart, DatasetRef
from sedna.store.datasets import read_dataset, write_dataset
from sedna.store.file_sets import StoredFile
from sedna.store.layout import attempt_prefix, checkpoints_prefix, round_prefix
from sedna.store.models import load_manifest

__all__ = ["KINDS", "dataset_of", "dataset_ref", "ensure_order", "order_of", "prefix_of"]

KINDS: Mapping[Stage, Kind] = {Stage.TRAINING: "train", Stage.EVALUATING: "eval"}


def prefix_of(job: JobRow, round_id: int, stage: Stage, attempt: int) -> str:
    """Where order and results of an attempt lie in the store."""
    return attempt_prefix(job.key, round_id, KINDS[stage], attempt)


def order_of(seams: EngineSeams, job: JobRow, round_id: int, stage: Stage, attempt: int) -> WorkOrder | None:
    """The order of an attempt as it was written, or None before that."""
    key = f"{prefix_of(job, round_id, stage, attempt)}order.json"
    try:
        return load_order(seams.store.get(key), key)
    except NotFoundError:
        return None


def ensure_order(seams: EngineSeams, job: JobRow, effect: EnsureWorker, name: str) -> WorkOrder | None:
    """The order of an attempt, written now if it is not there; None when there is nothing to evaluate on.

    What an attempt works with is settled at its first preparation: the job may be edited while its worker is started,
    and a worker that was started before a crash has that order and no other.

    Raises:
        UserError, PermanentError: something that it needs is not there, or not what it should be.
        TemporaryError: the store does not answer.
    """
    order = order_of(seams, job, effect.round, effect.stage, effect.attempt)
    if order is not None and order.job_created_at != job.created_at:
        # Its result would be taken for that of this attempt, whatever it was made of.
        hint = "only a database that is gone knew it; give the store a fresh prefix, or the job a fresh name"
        raise ConflictError("the store has an order of an earlier job of this name", where=order.key, hint=hint)
    if order is not None:
        return order
    made = _train(seams, job, effect, name) if effect.stage is Stage.TRAINING else _evaluate(seams, job, effect, name)
    if made is None or seams.store.put_if_absent(made.key, made.model_dump_json().encode()):
        return made
    return order_of(seams, job, effect.round, effect.stage, effect.attempt)


def dataset_of(seams: EngineSeams, job: JobRow, round_id: int) -> DatasetManifest:
    """The dataset version of a round, as the store has it."""
    return read_dataset(seams.store, dataset_ref(seams, job, round_id))


def dataset_ref(seams: EngineSeams, job: JobRow, round_id: int) -> DatasetRef:
    """Which dataset version a round works with; written to the store now if it is not there yet."""
    with seams.db.read() as session:
        row = rounds.get(session, job.id, round_id)
        assert row.dataset_version is not None, "training and evaluating rounds have a dataset version"
        version = datasets.get(session, job.id, row.dataset_version)
    if version.manifest_key is None or version.manifest_sha256 is None:
        return _write_manifest(seams, job, version)
    return DatasetRef(
        job=job.key,
        version=version.version,
        key=version.manifest_key,
        sha256=version.manifest_sha256,
        counts=DatasetCounts(train=version.train, eval=version.eval, holdout=version.holdout),
    )


def _write_manifest(seams: EngineSeams, job: JobRow, version: DatasetVersionRow) -> DatasetRef:
    with seams.db.read() as session:
        members = datasets.members(session, job.id, version.label_seq)
        entries = [_entry(member, version.round) for member in members]
    numbered = _numbered(entries)
    # Where one file named classes and another only numbers, there may be more numbers than names.
    names = job.spec.class_names or (*job.found_classes, *numbered[len(job.found_classes) :])
    ref = write_dataset(seams.store, job.key, version.version, version.parent, entries, class_names=names)
    with seams.write() as session:
        datasets.set_manifest(session, job.id, version.version, ref.key, ref.sha256)
    return ref


def _entry(member: datasets.Member, round_id: int) -> DatasetEntry:
    """New is what no earlier round than ``round_id`` has learned from; one that failed gave its samples back."""
    return DatasetEntry(
        sample_id=member.sample_id,
        extension=member.extension,
        part=DatasetPart(member.part),
        annotation=member.annotation,
        picked=member.picked,
        new=member.round_used in (None, round_id),
        round=member.round_used,
    )


def _numbered(entries: list[DatasetEntry]) -> tuple[str, ...]:
    """Class names of a job that gives none, as upstream's jobs do not."""
    labels = [box.label for entry in entries for box in entry.annotation.boxes]
    labels += [entry.annotation.label for entry in entries if entry.annotation.label is not None]
    return tuple(str(number) for number in range(max(labels, default=-1) + 1))


def _train(seams: EngineSeams, job: JobRow, effect: EnsureWorker, name: str) -> WorkOrder:
    spec = job.spec.train_spec
    algorithm = spec.algorithm and with_parameters(spec.algorithm, effect.parameters)
    opener = None
    if algorithm is not None:
        opener = Opener(algorithm=algorithm, module=current_module(seams, job, algorithm))
    base = start_model(seams, job, effect.champion)
    # Attempts of a round share checkpoints, unless the model to start from was replaced in between.
    checkpoints = checkpoints_prefix(job.key, effect.round, effect.champion)
    order = _order(seams, job, effect, name, spec, opener, (base,))
    unlabelled = _unlabelled(seams, job, effect.round) if spec.unlabelled_samples else None
    return order.model_copy(
        update={"checkpoints": checkpoints, "unlabelled": unlabelled, "distributed": spec.distributed}
    )


def _evaluate(seams: EngineSeams, job: JobRow, effect: EnsureWorker, name: str) -> WorkOrder | None:
    dataset = dataset_of(seams, job, effect.round)
    samples = evaluation_samples(dataset, seams.settings.eval_history_rounds)
    if not samples.judged | samples.holdout:
        return None
    assert effect.candidate is not None, "an evaluation has a candidate"
    served = model_spec(seams, job, job.spec.deploy_spec.model.name)[0].format
    candidate = version_model(seams, job, "candidate", effect.candidate, served)
    champion, known = baseline_model(seams, job, effect.champion)
    manifest = load_manifest(seams.store, job.key, effect.candidate)
    opener = opener_of(seams, job, manifest, effect.parameters)
    # The parameters of a round are those of its training: the model in service was made with its own.
    own = effect.parameters if job.spec.eval_spec.algorithm is not None or known is None else {}
    other = opener_of(seams, job, known, own)
    if opener is not None and other is not None and not other.is_like(opener):
        champion = champion.model_copy(update={"algorithm": other.algorithm, "module": other.module})
    return _order(seams, job, effect, name, job.spec.eval_spec, opener, (candidate, champion))


def _order(
    seams: EngineSeams,
    job: JobRow,
    effect: EnsureWorker,
    name: str,
    spec: TrainSpec | EvalSpec,
    opener: Opener | None,
    ordered: tuple[OrderedModel, ...],
) -> WorkOrder:
    return WorkOrder(
        worker=name,
        job=job.key,
        job_created_at=job.created_at,
        round=effect.round,
        attempt=effect.attempt,
        kind=KINDS[effect.stage],
        dataset=dataset_ref(seams, job, effect.round),
        history=seams.settings.eval_history_rounds,
        original_dataset_url=_dataset_url(seams, job),
        models=ordered,
        algorithm=None if opener is None else opener.algorithm,
        module=None if opener is None else opener.module,
        template=spec.template,
        class_names=job.spec.class_names,
        bits_per_sample=job.spec.pictures.bits_per_sample,
        limits=spec.limits,
    )


def _dataset_url(seams: EngineSeams, job: JobRow) -> str:
    """As its author wrote it: upstream's programs look for pictures beside that file."""
    key = JobKey(namespace=job.key.namespace, name=job.spec.dataset.name)
    with seams.db.read() as session:
        return DatasetSpec.model_validate(resources.get(session, "Dataset", key).spec).url


def _unlabelled(seams: EngineSeams, job: JobRow, round_id: int) -> StoredFile:
    """The samples without a label that a round learns from, chosen once: a further attempt goes on from checkpoints
    that know them."""
    key = f"{round_prefix(job.key, round_id)}unlabelled.jsonl"
    if seams.store.stat(key) is None:
        with seams.db.read() as session:
            found = pool.newest(session, job.id, job.spec.train_spec.unlabelled_samples)
        chosen = (UnlabelledSample(sample_id=sample.sample_id, extension=sample.extension) for sample in found)
        seams.store.put_if_absent(key, unlabelled_lines(chosen))
    data = seams.store.get(key)
    read_unlabelled(data, key)
    return StoredFile(name="unlabelled.jsonl", key=key, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
