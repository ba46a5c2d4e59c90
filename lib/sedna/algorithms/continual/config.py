"""A whole run as one frozen value, read from YAML files that can build on each other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sedna.algorithms.continual.data.config import DataConfig
from sedna.algorithms.continual.methods.registry import MethodConfig, known_methods, method_class
from sedna.algorithms.continual.models.factory import ModelConfig
from sedna.algorithms.continual.training.config import MemoryConfig, TrainConfig
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.validation import first_fault
from sedna.common.yaml12 import load_yaml, load_yaml_file

_RUNTIME_ONLY = {"threads", "checkpoint_interval", "epoch_length", "evaluate_epochs"}
_MAX_DEPTH = 8
_OPTIONS = TypeAdapter(dict[str, dict[str, Any]])


class RunConfig(BaseModel):
    """Everything that decides the outcome of a run.

    `load_config` and `build_config` add what methods and presets bring for the ``train`` section; one that is made
    directly takes every field as it is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=0, ge=0, description="decides labels, weights, order, augmentation")
    data: DataConfig = Field(default_factory=DataConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    method: MethodConfig = Field(default_factory=MethodConfig)
    memory: MemoryConfig = Field(default_factory=MemoryConfig)
    train: TrainConfig = Field(default_factory=TrainConfig)

    def fingerprint(self, data_checksum: str) -> str:
        """Identifies the run: two runs with equal fingerprints give equal results, if neither has to go back to a
        checkpoint and both work in one precision (which ``auto`` measures).

        The place of the data and settings that change nothing about the outcome are left out.
        """
        content = self.model_dump(mode="json")
        content["data"].pop("root")
        content["train"] = {key: value for key, value in content["train"].items() if key not in _RUNTIME_ONLY}
        content["data_checksum"] = data_checksum
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_config(source: str | Path, options: Sequence[str] = (), *, root: str | None = None) -> RunConfig:
    """A configuration from a YAML file or the name of a shipped one.

    A file may name others under ``_base_`` (a path relative to the file, the name of a shipped one, or several); their
    content comes first and the file's own keys win, level by level.

    Args:
        source: path, or a name such as ``split_semi_cifar100/edgehml``.
        options: ``key.path=value`` texts that win over the file; values are YAML.
        root: folder of the data set, in place of the file's.

    Raises:
        NotFoundError: no such file.
        SpecError: unknown key, wrong value, wrong YAML; the message names file and key.
    """
    chosen: dict[str, Any] = {}
    for option in options:
        _assign(chosen, option)
    content = read_config(source, options)
    if root is not None:
        content["data"] = {**_section(content, "data", str(source)), "root": root}
    return build_config(content, where=str(source), chosen=chosen)


def read_config(source: str | Path, options: Sequence[str] = ()) -> dict[str, Any]:
    """The content of a configuration before it is validated; arguments and errors as `load_config`."""
    content = _read(_locate(str(source)), 0)
    for option in options:
        _assign(content, option)
    return content


def build_config(
    content: Mapping[str, Any], *, where: str, chosen: Mapping[str, Any] = MappingProxyType({})
) -> RunConfig:
    """Validate the content of a configuration; what a preset says about ``train`` wins over the file, and the file over
    the defaults of the method.

    Args:
        chosen: the part of the content that was asked for by hand; it wins over presets too.

    A file that serves several methods can have a section ``method_options``: options by the name of a method, used if
    that method is run, below those of ``method.options``.

    Raises:
        SpecError: as `load_config`.
    """
    content = dict(content)
    try:
        shared = _OPTIONS.validate_python(content.pop("method_options", None) or {})
        if unknown := sorted(set(shared) - set(known_methods())):
            raise SpecError(f"method_options of {', '.join(unknown)}", where=where, hint=", ".join(known_methods()))
        method = MethodConfig.model_validate(content.get("method") or {})
        options = {**shared.get(method_class(method).ALG_NAME, {}), **method.options}
        defaults = method_class(method).TRAIN_DEFAULTS
        below, above = _section(content, "train", where), _section(chosen, "train", where)
        # From general to special: the habits of the method, the file, the preset, what was typed by hand.
        train = {**defaults, **below, **method.train_overrides, **above}
        return RunConfig.model_validate(
            {**content, "method": method.model_copy(update={"options": options}), "train": train}
        )
    except ValidationError as error:
        fault = first_fault(error)
        raise SpecError(f"{fault}, got {fault.given!r}", where=where) from error


def _section(content: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    section = content.get(name) or {}
    if not isinstance(section, dict):
        raise SpecError(f"{name} is {section!r}", where=where, hint="a section, key: value")
    return section


def shipped_configs() -> list[str]:
    """Names of the configurations that come with the package."""
    root = Path(str(resources.files("sedna.algorithms.continual") / "configs"))
    names = (path.relative_to(root).with_suffix("") for path in root.rglob("*.yaml"))
    return sorted(str(name) for name in names if not str(name).startswith("_"))


def _locate(source: str, beside: Path | None = None) -> Path:
    """A file (relative to ``beside``), or else a shipped configuration."""
    path = Path(source) if beside is None else beside / source
    if path.is_file():
        return path
    shipped = Path(str(resources.files("sedna.algorithms.continual") / "configs")) / f"{source}.yaml"
    if shipped.is_file():
        return shipped
    raise NotFoundError("no such configuration", where=source, hint=f"a file, or one of {', '.join(shipped_configs())}")


def _read(path: Path, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise SpecError("_base_ nests too deeply, or in a circle", where=str(path), hint=f"{_MAX_DEPTH} levels")
    documents = load_yaml_file(path)
    content = documents[0] if len(documents) == 1 else {}
    if len(documents) > 1 or not isinstance(content, dict):
        raise SpecError("is not one mapping", where=str(path), hint="key: value")
    bases = content.pop("_base_", [])
    merged: dict[str, Any] = {}
    for base in [bases] if isinstance(bases, str) else bases:
        merged = _merge(merged, _read(_locate(str(base), path.parent), depth + 1))
    return _merge(merged, content)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _assign(content: dict[str, Any], option: str) -> None:
    key, sign, text = option.partition("=")
    if not sign or not key.strip():
        raise SpecError(f"option {option!r}", where="--cfg-options", hint="key.path=value")
    *parents, last = key.strip().split(".")
    target = content
    for parent in parents:
        inner = target.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise SpecError(f"{parent} is no section", where=f"--cfg-options {key}", hint="section.key=value")
        target = inner
    target[last] = load_yaml(text, f"--cfg-options {key}")
