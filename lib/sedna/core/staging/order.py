"""The order: everything that a training or evaluation needs, by store key and sha256."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, ValidationError, field_validator, model_validator

from sedna.common.errors import IntegrityError, SpecError
from sedna.common.types import JobKey, Value
from sedna.common.validation import first_fault
from sedna.loop.spec import Algorithm, Distributed, Limits
from sedna.store.base import is_key
from sedna.store.dataset_values import DatasetEntry, DatasetManifest, DatasetPart, DatasetRef, Extension
from sedna.store.datasets import read_dataset
from sedna.store.file_sets import FileStore, StoredFile
from sedna.store.layout import attempt_prefix, sample_key

__all__ = [
    "EvaluationSamples",
    "Kind",
    "ModelRole",
    "OrderedModel",
    "UnlabelledSample",
    "WorkOrder",
    "evaluation_samples",
    "load_order",
    "read_unlabelled",
]

Kind = Literal["train", "eval"]

ModelRole = Literal["base", "candidate", "champion"]
"""What a model is for: a training starts from the base, an evaluation compares the candidate with the champion."""


class OrderedModel(Value):
    """A model that the worker opens. ``entry`` is the file or folder to open; "" = the folder of all files."""

    role: ModelRole
    entry: str = ""

    @field_validator("entry")
    @classmethod
    def _stays_inside(cls, entry: str) -> str:
        if entry and not is_key(entry):
            raise ValueError(f"{entry!r} is no file or folder of a model")
        return entry

    files: tuple[StoredFile, ...] = Field(min_length=1)
    algorithm: Algorithm | None = Field(
        default=None, description="what an evaluation opens it with; None = the algorithm of the order"
    )
    module: StoredFile | None = Field(
        default=None, description="the Python file of ``algorithm.module`` as the model was made with it"
    )

    @property
    def all_files(self) -> tuple[StoredFile, ...]:
        """Everything that opening it needs."""
        return self.files if self.module is None else (*self.files, self.module)


class UnlabelledSample(Value):
    """A sample without a label that a training may learn from."""

    sample_id: str
    extension: Extension


class WorkOrder(Value):
    """One attempt of one stage of a round, such that it can be run again anywhere, and only by what is written here.

    Seeds are among the algorithm's parameters; where those give none, the algorithm's own default is one. What an
    order does not hold is how to reach store and service: that belongs to the machine, and tokens are no input.
    """

    order_format: Literal[1] = 1
    worker: str = Field(description="name of the worker; unique for ever")
    job: JobKey
    job_created_at: AwareDatetime = Field(description="tells the job from an earlier one of its name")
    round: int = Field(ge=1)
    attempt: int = Field(ge=1)
    kind: Kind
    dataset: DatasetRef
    history: int = Field(ge=1, description="rounds whose evaluation samples judge a candidate")
    original_dataset_url: str = Field(default="", description="spec.url of the Dataset, as its author wrote it")
    unlabelled: StoredFile | None = Field(default=None, description="list of `UnlabelledSample`, one JSON line each")
    models: tuple[OrderedModel, ...] = ()
    algorithm: Algorithm | None = Field(default=None, description="registered class; None = the template's program")
    module: StoredFile | None = Field(default=None, description="the Python file of ``algorithm.module``")
    template: dict[str, JsonValue] | None = Field(default=None, description="PodTemplateSpec; None = built-in worker")
    class_names: tuple[str, ...] = ()
    bits_per_sample: int | None = Field(default=None, description="of its pictures; None = as each file says")
    limits: Limits = Limits()
    distributed: Distributed | None = Field(default=None, description="processes of a training; None = one")
    checkpoints: str | None = Field(default=None, description="prefix that all attempts of a training share")

    @model_validator(mode="after")
    def _names_its_models(self) -> Self:
        needed = {"base"} if self.kind == "train" else {"candidate", "champion"}
        missing = needed - {model.role for model in self.models}
        if missing:
            raise ValueError(f"an order to {self.kind} names a {min(missing)} model")
        return self

    @property
    def processes(self) -> int:
        """How many processes do it together."""
        return 1 if self.distributed is None else self.distributed.processes

    @property
    def prefix(self) -> str:
        """Where order and results lie, and the only place beside ``checkpoints`` that the worker writes to."""
        return attempt_prefix(self.job, self.round, self.kind, self.attempt)

    @property
    def key(self) -> str:
        """Where the order itself lies."""
        return f"{self.prefix}order.json"

    def model(self, role: ModelRole) -> OrderedModel | None:
        """The model of this role, or None."""
        return next((model for model in self.models if model.role == role), None)

    def samples(self, dataset: DatasetManifest) -> list[DatasetEntry]:
        """The labelled samples that the worker reads, in the order of the manifest."""
        if self.kind == "train":
            return [entry for entry in dataset.entries if entry.part is DatasetPart.TRAIN]
        wanted = evaluation_samples(dataset, self.history)
        return [entry for entry in dataset.entries if entry.sample_id in wanted.judged | wanted.holdout]

    def inputs(self, store: FileStore) -> Iterator[str]:
        """Every key that the worker may read but its own results.

        Raises:
            NotFoundError, IntegrityError: the dataset version or the list of unlabelled samples is gone or damaged.
        """
        yield self.key
        yield self.dataset.key
        for model in self.models:
            yield from (file.key for file in model.all_files)
        if self.module is not None:
            yield self.module.key
        for entry in self.samples(read_dataset(store, self.dataset)):
            yield sample_key(self.job, entry.sample_id, entry.extension)
        if self.unlabelled is not None:
            yield self.unlabelled.key
            for sample in read_unlabelled(store.get(self.unlabelled.key), self.unlabelled.key):
                yield sample_key(self.job, sample.sample_id, sample.extension)


@dataclass(frozen=True)
class EvaluationSamples:
    """Which samples judge a candidate: ``judged`` are fresh, ``holdout`` nobody ever trains on."""

    judged: frozenset[str]
    holdout: frozenset[str]


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


def load_order(data: bytes, where: str) -> WorkOrder:
    """An order from its JSON form.

    Raises:
        SpecError: it is no order, or one that a newer program wrote.
    """
    try:
        return WorkOrder.model_validate_json(data)
    except ValidationError as error:
        message = f"this is no work order: {first_fault(error)}"
        raise SpecError(message, where=where, hint="order.json as the service wrote it") from error


def unlabelled_lines(samples: Iterable[UnlabelledSample]) -> bytes:
    """The list that `read_unlabelled` reads."""
    return "".join(f"{sample.model_dump_json()}\n" for sample in samples).encode()


def read_unlabelled(data: bytes, where: str) -> list[UnlabelledSample]:
    """The samples of a list.

    Raises:
        IntegrityError: a line is not one of ours.
    """
    try:
        return [UnlabelledSample.model_validate_json(line) for line in data.splitlines()]
    except ValidationError as error:
        raise IntegrityError(f"no list of samples: {first_fault(error)}", where=where) from error
