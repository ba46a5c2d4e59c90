"""Reading of one yaml file into a model, with errors that name file, key path, value and what is allowed.

The files are YAML 1.1, read as upstream reads them: a value that reaches an algorithm must be the value that it got
there (``1e-3`` is a text, ``on`` is true). Production's descriptions are YAML 1.2 (``sedna.common.yaml12``).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails

from sedna.common.errors import NotFoundError, SpecError

MAX_BYTES = 4 << 20
_SHOWN = 80


@dataclass
class Notes:
    """What a reader wants to tell without failing; one line each, each line once."""

    lines: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        if line not in self.lines:
            self.lines.append(line)


@dataclass(frozen=True)
class Reading:
    """The context of a validation: which file, and where its notes go."""

    file: str
    notes: Notes


class Section(BaseModel):
    """Base of all sections: frozen. Unknown keys are ignored as upstream ignores them, but never silently."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _tell_unknown_keys(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Mapping) or not isinstance(info.context, Reading):
            return data
        kept = cls.model_config.get("extra") == "allow"
        for key in data:
            if key in cls.model_fields:
                continue
            close = get_close_matches(str(key), cls.model_fields, n=1)
            if kept and not close:
                continue
            meant = f"; did you mean {close[0]!r}?" if close else ""
            use = "is passed on unread" if kept else "is ignored"
            info.context.notes.add(f"{info.context.file}: {cls.__name__}: unknown key {key!r} {use}{meant}")
        return {key: value for key, value in data.items() if value is not None or not cls._has_default(key)}

    @classmethod
    def _has_default(cls, key: Any) -> bool:
        """A key without a value (``url:``) counts as absent where it may be absent."""
        field = cls.model_fields.get(key)
        return field is not None and not field.is_required()


S = TypeVar("S", bound=Section)


class _Loader(yaml.SafeLoader):
    """SafeLoader that remembers keys given twice in one mapping; the last one counts, as upstream."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.twice: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            text = str(key.value)
            if text in seen:
                self.twice.append(f"line {key.start_mark.line + 1}: {text!r}")
            seen.add(text)
        return super().construct_mapping(node, deep)


def read_yaml(path: str, notes: Notes) -> Any:
    """The one document of a yaml file; a key given twice is noted.

    Raises:
        NotFoundError: no such file.
        SpecError: wrong suffix, too large, not yaml (with the line).
    """
    if Path(path).suffix not in (".yaml", ".yml"):
        raise SpecError("is not a yaml file", where=path, hint="a name that ends in .yaml or .yml")
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise NotFoundError("no such file", where=path) from error
    if len(data) > MAX_BYTES:
        raise SpecError("is too large for a description", where=path, hint=f"at most {MAX_BYTES} bytes")
    try:
        return _parse(data, path, notes)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else path
        raise SpecError(f"is not yaml: {error.problem or error.context}", where=where) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SpecError(f"is not yaml: {' '.join(str(error).split())}", where=path) from error


def _parse(data: bytes, path: str, notes: Notes) -> Any:
    loader = _Loader(data)
    try:
        document = loader.get_single_data()
    finally:
        loader.dispose()
    for place in loader.twice:
        notes.add(f"{path}: {place} is given twice; the last one counts")
    return document


def section_of(path: str, key: str, notes: Notes) -> Mapping[str, Any]:
    """The mapping below the top key ``key`` of a file.

    Raises:
        SpecError: the key is missing, or is not a mapping.
    """
    document = read_yaml(path, notes)
    if not isinstance(document, Mapping) or key not in document:
        found = ", ".join(map(str, document)) if isinstance(document, Mapping) else type(document).__name__
        raise SpecError(f"has no top key {key!r}; found: {found or 'nothing'}", where=path, hint=f"{key}:")
    section = document[key]
    if not isinstance(section, Mapping):
        raise SpecError(f"is {shown(section)}, not a mapping", where=f"{path}: {key}", hint="key: value")
    return section


def validated(model: type[S], data: Any, path: str, at: str, notes: Notes) -> S:
    """``data`` as ``model``; every error of the section in one message.

    Args:
        at: key path of the section inside the file.

    Raises:
        SpecError: one line an error: file, key path, value, what is allowed.
    """
    try:
        return model.model_validate(data, context=Reading(path, notes))
    except ValidationError as error:
        lines = [_line(entry, at) for entry in error.errors(include_url=False)]
        raise SpecError("; ".join(lines), where=path) from error


def _line(entry: ErrorDetails, at: str) -> str:
    place = at + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in entry["loc"])
    said = entry["msg"].removeprefix("Value error, ")
    if entry["type"] == "missing":
        return f"{place} is missing"
    return f"{place} = {shown(entry['input'])}: {said}"


def shown(value: Any) -> str:
    """A value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
