"""YAML as kubectl reads it: the core schema of YAML 1.2.

PyYAML alone follows YAML 1.1, where an unquoted ``24:00`` is the number 1440, ``no`` is false and ``1e-3``
is a string. Here ``02:00``, ``on``, ``no`` and dates are strings, ``true``/``false`` are booleans, ``010``
is ten and ``1e-3`` is a float. Duplicate keys are refused. Merge keys (``<<``) work, as they do in kubectl.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sedna.common.errors import NotFoundError, SpecError, TooLargeError

__all__ = ["MAX_BYTES", "load_yaml", "load_yaml_all", "load_yaml_file"]

MAX_BYTES = 8 << 20
"""Longest text that is read; a job description has some kilobytes."""

# after aliases are expanded: a few hundred bytes of nested aliases can stand for billions
_MAX_NODES = 500_000

_INT = re.compile(r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")


class _CoreSchemaLoader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        # Merged keys are left out: the mapping's own keys may replace them, that is what merging is for.
        own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: dict[Hashable, int] = {}
        for key_node in own:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain value", key_node.start_mark)
            line = key_node.start_mark.line + 1
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} was already given in line {seen[key]}", key_node.start_mark
                )
            seen[key] = line
        return super().construct_mapping(node, deep=deep)

    def compose_document(self) -> yaml.Node | None:
        node = super().compose_document()
        if node is not None:
            _expanded_size(node, {}, set())
        return node


def _construct_int(loader: _CoreSchemaLoader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    if text.startswith(("0o", "0x")):
        return int(text, 0)
    return int(text, 10)


def _construct_float(loader: _CoreSchemaLoader, node: yaml.ScalarNode) -> float:
    return float(loader.construct_scalar(node).lower().replace(".inf", "inf").replace(".nan", "nan"))


_CoreSchemaLoader.yaml_implicit_resolvers = {}  # none of the rules of YAML 1.1
_CoreSchemaLoader.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOL, list("tTfF"))
_CoreSchemaLoader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_CoreSchemaLoader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))
_CoreSchemaLoader.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, ["~", "n", "N", ""])
_CoreSchemaLoader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_CoreSchemaLoader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_CoreSchemaLoader.add_constructor("tag:yaml.org,2002:float", _construct_float)


def load_yaml_all(text: str | bytes, name: str = "yaml") -> list[Any]:
    """Every document of a text; empty documents (between two ``---``) are left out.

    Args:
        name: what error messages call the text, usually its path.

    Raises:
        SpecError: not YAML, a duplicate key, an unknown tag, a reference to itself; ``where`` is
            ``name:line``.
        TooLargeError: over `MAX_BYTES`, or too many nodes once aliases are expanded.
    """
    # Before the parser sees it: PyYAML builds every node of a text in memory.
    if len(text) > MAX_BYTES:
        raise TooLargeError(f"{len(text)} bytes of YAML", where=name, hint=f"at most {MAX_BYTES}")
    try:
        return [document for document in yaml.load_all(text, Loader=_CoreSchemaLoader) if document is not None]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        parts = [part for part in (error.context, error.problem) if part]
        raise SpecError(", ".join(parts) or "not YAML", where=where) from error
    except yaml.YAMLError as error:
        raise SpecError(
            f"not YAML: {' '.join(str(error).split())}",
            where=name,
            hint="UTF-8 text without control characters",
        ) from error
    except (UnicodeDecodeError, ValueError) as error:
        raise SpecError(f"unreadable value: {error}", where=name) from error
    except _NodeLimitError:
        raise TooLargeError(
            "aliases stand for too many nodes", where=name, hint=f"at most {_MAX_NODES} once expanded"
        ) from None
    except RecursionError:
        raise SpecError("nested too deeply", where=name, hint="a few levels") from None


def load_yaml(text: str | bytes, name: str = "yaml") -> Any:
    """The one document of a text, or None for an empty text.

    Raises:
        SpecError: as `load_yaml_all`, or the text holds several documents.
        TooLargeError: as `load_yaml_all`.
    """
    documents = load_yaml_all(text, name)
    if len(documents) > 1:
        raise SpecError(f"{len(documents)} documents", where=name, hint="one document, without '---' in between")
    return documents[0] if documents else None


def load_yaml_file(path: Path | str) -> list[Any]:
    """Every document of a file; see `load_yaml_all`.

    Raises:
        NotFoundError: there is no such file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError("no such file", where=str(path)) from error
    return load_yaml_all(data, str(path))


class _NodeLimitError(Exception):
    """Internal: leaves the recursion of `_expanded_size`."""


def _expanded_size(node: yaml.Node, sizes: dict[int, int], open_nodes: set[int]) -> int:
    """Number of nodes below ``node`` with every alias expanded; refuses nodes that contain themselves."""
    if id(node) in sizes:
        return sizes[id(node)]
    if id(node) in open_nodes:
        raise yaml.constructor.ConstructorError(None, None, "an alias contains itself", node.start_mark)
    size = 1
    if isinstance(node, yaml.CollectionNode):
        open_nodes.add(id(node))
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                size += _expanded_size(part, sizes, open_nodes)
        open_nodes.discard(id(node))
    if size > _MAX_NODES:
        raise _NodeLimitError
    # Remembered by node: an alias is the same node again, and walking it anew would take the time that is refused here.
    sizes[id(node)] = size
    return size
