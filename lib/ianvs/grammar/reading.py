"""Reading of one yaml file into a model, with errors that name file, key path, value and what is allowed.

The files are YAML 1.1, read as upstream reads them: a value that reaches an algorithm must be the value that it got
there (``1e-3`` is a text, ``on`` is true). Production's descriptions are YAML 1.2 (``sedna.common.yaml12``).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from ianvs.grammar.findings import Findings
from sedna.common.errors import NotFoundError, SpecError

MAX_BYTES = 4 << 20
_SHOWN = 80
_TOP_KEYS = ("benchmarkingjob", "testenv", "algorithm")
"""Sections of a benchmark; they may share a file."""


class _KeyLoader(yaml.SafeLoader):
    """SafeLoader that remembers keys given twice in one mapping; the last one counts, as upstream."""

    def __init__(self, stream: bytes) -> None:
        super().__init__(stream)
        self.twice: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            text = str(key.value)
            if text in seen:  # PyYAML says nothing, and the first value is lost
                self.twice.append(f"line {key.start_mark.line + 1}: {text!r}")
            seen.add(text)
        return super().construct_mapping(node, deep)


def read_yaml(path: str, findings: Findings) -> Any:
    """The one document of a yaml file; a key given twice is noted.

    Raises:
        NotFoundError: no such file.
        SpecError: wrong suffix, too large, not yaml (with the line).
    """
    if Path(path).suffix not in (".yaml", ".yml"):
        raise SpecError("is not a yaml file", where=path, hint="a name that ends in .yaml or .yml")
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # one more than is allowed tells, and a model given by mistake is not read
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise NotFoundError("no such file", where=path) from error
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", where=path) from error
    if len(data) > MAX_BYTES:
        raise SpecError("is too large for a description", where=path, hint=f"at most {MAX_BYTES} bytes")
    try:
        return _parse(data, path, findings)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark is not None else path
        raise SpecError(f"is not yaml: {error.problem or error.context}", where=where) from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise SpecError(f"is not yaml: {' '.join(str(error).split())}", where=path) from error


def _parse(data: bytes, path: str, findings: Findings) -> Any:
    loader = _KeyLoader(data)
    try:
        document = loader.get_single_data()
    finally:
        loader.dispose()
    for place in loader.twice:
        findings.warn(f"{path}: {place} is given twice; the last one counts")
    return document


def mapping_below(path: str, key: str, findings: Findings) -> Mapping[str, Any]:
    """The mapping below the top key ``key`` of a file.

    Raises:
        NotFoundError, SpecError: the file cannot be read, the key is missing, or holds no mapping.
    """
    document = read_yaml(path, findings)
    if not isinstance(document, Mapping) or key not in document:
        found = ", ".join(map(str, document)) if isinstance(document, Mapping) else type(document).__name__
        raise SpecError(f"has no top key {key!r}; found: {found or 'nothing'}", where=path, hint=f"{key}:")
    for other in document:
        if other not in _TOP_KEYS:
            findings.warn(f"{path}: unknown top key {other!r} is ignored{did_you_mean(other, _TOP_KEYS)}")
    section = document[key]
    if not isinstance(section, Mapping):
        raise SpecError(f"is {shown(section)}, not a mapping", where=f"{path}: {key}", hint="key: value")
    return section


def did_you_mean(name: object, known: Collection[str]) -> str:
    """The end of a message about an unknown name: the known name that is closest, or nothing."""
    close = get_close_matches(str(name), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def shown(value: Any) -> str:
    """A value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
