"""From a pydantic error to the line, the key path, the value and the closest known key."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic_core import ErrorDetails

__all__ = ["Document", "Location", "Mistake", "as_mistake", "closest", "closest_name", "shown", "with_nodes"]

Location = tuple[int | str, ...]

_LONGEST_VALUE = 60


@dataclass(frozen=True)
class Mistake:
    """One mistake, by its location inside a document."""

    loc: Location
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Document:
    """One document: its content, and its YAML node (None for JSON), which knows lines."""

    content: Any
    node: yaml.Node | None
    prefix: str = ""

    def flattened(self) -> Iterator[Document]:
        """The document itself, or the items of a ``kind: List``."""
        if not (isinstance(self.content, dict) and self.content.get("kind") == "List"):
            yield self
            return
        items = self.content.get("items")
        node = _child(self.node, "items")
        for index, item in enumerate(items if isinstance(items, list) else ()):
            yield Document(item, _child(node, index), f"items[{index}]")

    def line_of(self, loc: Location) -> int | None:
        """The 1-based line of the deepest part of ``loc`` that exists in the text."""
        if self.node is None:
            return None
        node: yaml.Node = self.node
        line = node.start_mark.line + 1
        for part in loc:
            child = _child(node, part)
            if child is None:
                continue  # a missing key, or a word of pydantic's that stands for a branch of a union
            line = _line(node, part, child)
            node = child
        return line

    def key_of(self, loc: Location) -> str:
        """The key path, without the words that stand for branches of a union."""
        path = self.prefix
        content = self.content
        for position, part in enumerate(loc):
            if isinstance(part, int):
                path += f"[{part}]"
                content = content[part] if isinstance(content, list) and part < len(content) else None
            elif isinstance(content, dict) and part in content:
                path += f".{part}" if path else part
                content = content[part]
            elif isinstance(content, dict) and position == len(loc) - 1:
                path += f".{part}" if path else part
        return path


def with_nodes(contents: Sequence[Any], text: str) -> Iterator[Document]:
    """Pair loaded YAML documents with their nodes."""
    nodes = [node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if not _empty(node)]
    # Two passes over the text: the loader keeps no lines, and the composer no values.
    for content, node in zip(contents, nodes, strict=True):
        yield Document(content, node)


def _empty(node: yaml.Node | None) -> bool:
    """Whether a document holds nothing: `load_yaml_all` leaves these out."""
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null")


def _child(node: yaml.Node | None, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        child: yaml.Node = node.value[part]
        return child
    return None


def _line(parent: yaml.Node, part: int | str, child: yaml.Node) -> int:
    """The line of the key rather than of its value, which may start below."""
    if isinstance(parent, yaml.MappingNode):
        for key, _ in parent.value:
            if key.value == part:
                return int(key.start_mark.line) + 1
    return int(child.start_mark.line) + 1


def shown(value: Any) -> str:
    """A value as text of bounded length."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def closest_name(word: str, known: Iterable[str]) -> str | None:
    """The known name that a word probably is, whatever its case and underscores."""
    by_lower = {name.lower(): name for name in known}
    # Case and underscores are no part of the distance: `trainprob` and `train_prob` both mean `trainProb`.
    found = difflib.get_close_matches(word.lower().replace("_", ""), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def closest(word: str, known: Iterable[str]) -> str:
    """``did you mean X?`` or nothing."""
    name = closest_name(word, known)
    return f"did you mean {name}?" if name else ""


def as_mistake(model: type[BaseModel], problem: ErrorDetails) -> Mistake:
    """One pydantic error as a `Mistake`."""
    loc = tuple(problem["loc"])
    if problem["type"] == "extra_forbidden":
        known = sorted(_known_keys(model, loc[:-1]))
        guess = closest(str(loc[-1]), known)
        return Mistake(loc, f"unknown key {shown(loc[-1])}", guess or f"known keys: {', '.join(known)}")
    if problem["type"] == "missing":
        return Mistake(loc, "is required", _expected(model, loc))
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(problem["input"], dict | list):
        return Mistake(loc, message)
    return Mistake(loc, f"{message}; got {shown(problem['input'])}")


def _expected(model: type[BaseModel], loc: Location) -> str:
    for candidate in _models_at(model, loc[:-1]):
        for name, field in candidate.model_fields.items():
            if loc and loc[-1] in (name, field.alias, field.validation_alias) and field.description:
                return field.description
    return ""


def _known_keys(model: type[BaseModel], loc: Location) -> set[str]:
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else (field.alias or name)
        for candidate in _models_at(model, loc)
        for name, field in candidate.model_fields.items()
    }


def _models_at(model: type[BaseModel], loc: Location) -> list[type[BaseModel]]:
    """The models that may describe the value at ``loc``."""
    here: list[type[BaseModel]] = [model]
    for part in loc:
        if isinstance(part, int):
            continue  # a member of a sequence has the type that the sequence's annotation names
        below = [
            found
            for candidate in here
            for name, field in candidate.model_fields.items()
            if part in (name, field.alias, field.validation_alias)
            for found in _models_in(field.annotation)
        ]
        # A word that stands for a branch of a union is no field: the models stay the same.
        here = below or here
    return here


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    arguments = typing.get_args(annotation)
    if arguments:
        return [found for argument in arguments for found in _models_in(argument)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []
