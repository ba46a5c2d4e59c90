"""The values of model versions, as they stand in a manifest."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from pathlib import PurePath
from typing import Literal, Self

from pydantic import AwareDatetime, Field, JsonValue, field_validator, model_validator
from pydantic_core import to_json

from sedna.common.types import JobKey, Value
from sedna.store.base import is_key
from sedna.store.file_sets import FileEntry

__all__ = ["Metrics", "ModelDescription", "ModelInput", "ModelManifest", "Runtime", "runtime_of"]

_WIRE_ORDER = (
    "kind", "manifest_format", "job", "version", "parent", "round", "dataset_version", "algorithm", "parameters",
    "runtime", "format", "entries", "class_names", "input", "metrics", "files", "created_at", "note", "module",
)  # fmt: skip

Runtime = Literal["torch", "onnx", "python"]
"""What opens the files: PyTorch, ONNX Runtime, or the algorithm's own ``load``."""

Metrics = dict[str, float | tuple[float, ...]]
"""Figures by name; a list has one figure a class."""


_WEIGHTS = (".safetensors", ".pt", ".pth")


def runtime_of(names: Sequence[str]) -> Runtime:
    """What opens these files at the edge. ONNX first, since it runs without the framework that trained the model."""
    suffixes = {PurePath(name).suffix.lower() for name in names}
    if ".onnx" in suffixes:
        return "onnx"
    return "torch" if suffixes.intersection(_WEIGHTS) else "python"


class ModelInput(Value):
    """The images that a model wants, in pixels; None = any size."""

    width: int | None = Field(default=None, ge=1)
    height: int | None = Field(default=None, ge=1)
    channels: int = Field(default=3, ge=1)


class ModelDescription(Value):
    """What is said of a model version, whatever its files are."""

    job: JobKey
    version: int = Field(ge=1)
    parent: int | None = Field(default=None, description="version that training began from; None = the initial model")
    round: int | None = Field(default=None, description="round that made it; None = it was brought")
    dataset_version: int | None = Field(default=None, description="what it was trained on")
    algorithm: str = Field(min_length=1, description="alias in ClassFactory, or the name of the user's worker")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="that the algorithm was made with; whoever opens the model gives them again"
    )
    module: FileEntry | None = Field(
        default=None,
        description="Python file that registers the algorithm, as it was when the model was made; stored with it. "
        "None = the algorithm is built in, or nobody has noted it",
    )
    runtime: Runtime
    format: str = Field(min_length=1, description="of the weights: safetensors, onnx, pb, ...")
    entries: dict[str, str] = Field(
        default_factory=dict, description='file or folder of each form that its worker reported; "" = all files'
    )
    class_names: tuple[str, ...] = ()
    input: ModelInput | None = None
    metrics: Metrics = Field(default_factory=dict)
    created_at: AwareDatetime
    note: str = ""

    @model_validator(mode="after")
    def _parent_comes_before(self) -> Self:
        if self.parent is not None and not 1 <= self.parent < self.version:
            raise ValueError(f"parent {self.parent} of version {self.version}: a parent comes before")
        return self

    @field_validator("module")
    @classmethod
    def _module_is_a_file(cls, module: FileEntry | None) -> FileEntry | None:
        if module is not None and ("/" in module.name or not module.name.endswith(".py")):
            raise ValueError(f"{module.name!r} is no name of a Python file")
        return module

    @field_validator("entries")
    @classmethod
    def _entries_stay_inside(cls, entries: dict[str, str]) -> dict[str, str]:
        for form, name in entries.items():
            if name and not is_key(name):
                raise ValueError(f"{name!r} of {form} is no file or folder of a model")
        return entries


class ModelManifest(ModelDescription):
    """Everything about a model version but its bytes; written when the bytes are in place, and never changed."""

    kind: Literal["sedna.model"] = "sedna.model"
    manifest_format: Literal[1] = 1
    files: tuple[FileEntry, ...] = Field(min_length=1, description="sorted by name")

    @model_validator(mode="after")
    def _names_fit_one_folder(self) -> Self:
        names = sorted(file.name for file in self.files)
        for one, other in itertools.pairwise(names):
            if one == other:
                raise ValueError(f"file {one!r} is listed twice")
        folders = {name[:at] for name in names for at, char in enumerate(name) if char == "/"}
        if folders & set(names):
            raise ValueError(f"{min(folders & set(names))!r} is both a file and a folder")
        return self

    def to_bytes(self) -> bytes:
        """The canonical JSON form. Fields at their defaults are left out, so that later fields do not change it."""
        content = self.model_dump(mode="json", exclude_defaults=True)
        # Edges compare the sha256 of these bytes with what the database recorded, perhaps years ago: the order stays.
        ordered = {name: content[name] for name in _WIRE_ORDER if name in content}
        return to_json(ordered)

    @property
    def sha256(self) -> str:
        """Of `to_bytes`: names this very model."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)
