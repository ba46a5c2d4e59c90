"""Where the pictures of a run are and how they are split."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sedna.algorithms.continual.data.images import OnCorrupt
from sedna.algorithms.continual.data.task import CLType
from sedna.algorithms.continual.transforms.pipeline import Normalisation

DataKind = Literal["cifar10", "cifar100", "tiny_imagenet", "folder", "domains", "coco", "voc", "synthetic"]


class DataConfig(BaseModel):
    """The ``data`` section of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: DataKind = "cifar100"
    root: str = Field(
        default="data",
        description="cifar: folder of the parquet or binary files; folder: holds train/<class> and test/<class>; "
        "domains: the same below <domain>; "
        "coco: train.json, train/, test.json, test/; voc: train/{Annotations,JPEGImages}, the same for test",
    )
    cl_type: CLType = Field(default="task-il", description="what the model is told at test time")
    num_tasks: int = Field(default=20, ge=1)
    classes_per_task: int = Field(default=5, ge=1, description="not used with domain-il: every task has all classes")
    domains: tuple[str, ...] = Field(
        default=(), description="kind domains: folders in the order of the tasks, num_tasks of them; empty: all, sorted"
    )
    classes: tuple[int, ...] | None = Field(default=None, description="labels to use, in this order; null: all")
    class_names: tuple[str, ...] = Field(
        default=(), description="names in label order; empty: as found. Your own pictures only"
    )
    labels_per_class: int = Field(default=5, ge=1)
    label_draw: Literal["random", "first"] = Field(
        default="random", description="first: in file order, as the published protocol; random: by seed"
    )
    unlabelled_per_class: int | None = Field(default=None, ge=1, description="null: every training picture")
    test_per_class: int | None = Field(default=None, ge=1, description="null: every test picture")
    validation_per_class: int = Field(
        default=0,
        ge=0,
        description="test on this many training pictures of each class and leave the test set unseen, to choose "
        "settings; 0: test on the test set",
    )
    uratio: int = Field(default=7, ge=1, description="unlabelled pictures with each labelled one")
    image_size: int = Field(default=32, ge=8, le=1024, description="pixels; pictures are resized (not for cifar)")
    padding: int = Field(default=4, ge=0, description="pixels of the random crop")
    flip: bool = Field(default=True, description="whether a mirrored picture means the same")
    normalisation: Normalisation | None = Field(default=None, description="channel statistics; null: of the data set")
    on_corrupt: OnCorrupt = Field(default="error", description="skip: leave undecodable pictures out, with a warning")

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        if self.class_names and self.kind not in ("folder", "domains", "coco", "voc"):
            raise ValueError(f"class_names: {self.kind} has its own")
        if self.domains and self.kind != "domains":
            raise ValueError(f"domains: not with kind {self.kind}")
        wrong = [name for name in self.domains if "/" in name or not name or self.domains.count(name) > 1]
        if wrong:
            raise ValueError(f"domains: {', '.join(map(repr, wrong))}; names of folders, each once")
        return self
