"""Job, Dataset and Model descriptions: text in, typed resources out, or every mistake in it at once.

Used by ``POST /api/v1/resources``, by ``sedna job apply`` and, offline, by ``sedna validate``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import sedna.algorithms  # noqa: F401  (names of the built-in miners and algorithms)
from globalmanager.api import key_paths
from globalmanager.api.all_mistakes import every_mistake
from globalmanager.api.class_checks import NamedClasses, check_classes
from globalmanager.api.module_checks import ModuleCheck
from sedna.common.errors import NotFoundError, SpecError, TooLargeError
from sedna.common.yaml12 import load_yaml_all
from sedna.loop.spec import API_VERSION, KINDS, IncrementalLearningJob, Metadata, Resource

__all__ = ["MAX_BYTES", "Diagnostic", "ManifestError", "parse_manifests", "read_manifests", "without_uid"]

_AS_THE_SERVICE = ModuleCheck()

_SEDNAS_OTHER_KINDS = (
    "FeatureExtractionService",
    "FederatedLearningJob",
    "JointInferenceService",
    "LifelongLearningJob",
    "ObjectSearchService",
    "ObjectTrackingService",
    "ReidJob",
    "VideoAnalyticsJob",
)

MAX_BYTES = 4 << 20
"""Longest text of descriptions; a job has some kilobytes."""


@dataclass(frozen=True)
class Diagnostic:
    """One mistake in a description."""

    source: str
    line: int | None
    key: str
    message: str
    hint: str = ""

    @property
    def where(self) -> str:
        """``FILE:LINE: key.path``, as far as known."""
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.key}" if self.key else place

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ManifestError(SpecError):
    """A text of descriptions is wrong; ``diagnostics`` has every mistake, the message the first of them."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        self.diagnostics = diagnostics
        first = diagnostics[0]
        more = f" (and {len(diagnostics) - 1} more)" if len(diagnostics) > 1 else ""
        super().__init__(first.message + more, where=first.where, hint=first.hint)


def read_manifests(path: Path, *, try_modules: bool = False) -> tuple[Resource, ...]:
    """The resources described in a file.

    Args:
        try_modules: see `ModuleCheck`.

    Raises:
        NotFoundError: there is no such file.
        ManifestError: it has mistakes.
        TooLargeError: over `MAX_BYTES`.
    """
    try:
        with path.open("rb") as file:
            # One byte more than is allowed tells a file that is too large from one that just fits.
            data = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFoundError("no such file", where=str(path), hint="a YAML or JSON file") from error
    return parse_manifests(data, str(path), ModuleCheck(path.absolute().parent, try_modules))


def parse_manifests(text: bytes, source: str, modules: ModuleCheck = _AS_THE_SERVICE) -> tuple[Resource, ...]:
    """The resources described in YAML (several documents) or JSON (an object, a list, or kind List).

    Args:
        source: what diagnostics call the text: its path, or "body".
        modules: how the files of users' algorithms are looked at.

    Raises:
        ManifestError: with every mistake found, each with its line (YAML) and key path.
        TooLargeError: over `MAX_BYTES`.
    """
    # The command line reads files without the service's limit on bodies.
    if len(text) > MAX_BYTES:
        raise TooLargeError(f"{len(text)} bytes of descriptions", where=source, hint=f"at most {MAX_BYTES}")
    resources: list[Resource] = []
    diagnostics: list[Diagnostic] = []
    for document in _documents(text, source):
        resource, mistakes = _resource(document.content, modules)
        diagnostics += [
            Diagnostic(
                source, document.line_of(mistake.loc), document.key_of(mistake.loc), mistake.message, mistake.hint
            )
            for mistake in mistakes
        ]
        if resource is not None:
            resources.append(resource)
    diagnostics += _repeated(resources, source)
    if diagnostics:
        raise ManifestError(tuple(diagnostics))
    if not resources:
        raise ManifestError((Diagnostic(source, None, "", "nothing is described", f"kind: {', '.join(KINDS)}"),))
    return tuple(resources)


def without_uid(resource: Resource) -> Resource:
    """A description as people hand it in, perhaps from `kubectl get -o yaml`: it does not come from that object."""
    kept = {name: value for name, value in resource.metadata.model_dump(exclude_unset=True).items() if name != "uid"}
    return resource.model_copy(update={"metadata": Metadata.model_validate(kept)})


def _documents(text: bytes, source: str) -> Iterator[key_paths.Document]:
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(
            (Diagnostic(source, None, "", f"not UTF-8: {error.reason}", "save it as UTF-8"),)
        ) from error
    # Read as JSON although it is YAML too, so that its mistakes are named as those of JSON.
    if decoded.lstrip()[:1] in ("{", "["):
        found = [key_paths.Document(content, None) for content in _json(decoded, source)]
    else:
        found = list(_yaml(decoded, source))
    for document in found:
        yield from document.flattened()


def _yaml(text: str, source: str) -> Iterator[key_paths.Document]:
    try:
        contents = load_yaml_all(text, source)
    except SpecError as error:
        raise ManifestError((Diagnostic(error.where, None, "", error.message, error.hint),)) from error
    yield from key_paths.with_nodes(contents, text)


def _json(text: str, source: str) -> list[Any]:
    try:
        content = json.loads(text, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        message = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise ManifestError((Diagnostic(source, line, "", f"not JSON: {message}"),)) from error
    return content if isinstance(content, list) else [content]


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"key {twice[0]!r} is given twice")
    return content


def _resource(content: Any, modules: ModuleCheck) -> tuple[Resource | None, list[key_paths.Mistake]]:
    """One document as a resource, or what is wrong with it."""
    if not isinstance(content, dict):
        got = key_paths.shown(content)
        return None, [key_paths.Mistake((), f"expected an object with kind and spec, got {got}", ", ".join(KINDS))]
    kind = content.get("kind")
    model = KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        return None, [_no_kind_of_ours(kind)]
    mistakes: list[key_paths.Mistake] = []
    if "apiVersion" not in content:
        mistakes.append(key_paths.Mistake((), "apiVersion is missing", f"apiVersion: {API_VERSION}"))
    try:
        resource = model.model_validate(content)
    except ValidationError as error:
        found, left = every_mistake(model, content, error)
        mistakes += found
        if model is IncrementalLearningJob:
            mistakes += check_classes(NamedClasses.found_in(left.get("spec")), modules)
        return None, mistakes
    if isinstance(resource, IncrementalLearningJob):
        mistakes += check_classes(NamedClasses.of(resource.spec), modules)
    return resource, mistakes


def _no_kind_of_ours(kind: Any) -> key_paths.Mistake:
    """What is wrong with a ``kind`` that is none of `KINDS`."""
    loc = ("kind",)
    if kind is None:
        return key_paths.Mistake(loc, "kind is missing", f"one of: {', '.join(KINDS)}")
    meant = key_paths.closest_name(str(kind), (*KINDS, *_SEDNAS_OTHER_KINDS))
    if meant in _SEDNAS_OTHER_KINDS:
        # Its nearest kind of ours would be a wrong lead: no correction of the word makes the description run.
        what = key_paths.shown(kind) if kind == meant else f"{key_paths.shown(kind)} (probably {meant})"
        return key_paths.Mistake(
            loc, f"{what} is a kind of Sedna that this service does not run", f"it runs {', '.join(KINDS)}"
        )
    hint = f"did you mean {meant}?" if meant else f"one of: {', '.join(KINDS)}"
    return key_paths.Mistake(loc, f"kind {key_paths.shown(kind)} is not known here", hint)


def _repeated(resources: list[Resource], source: str) -> list[Diagnostic]:
    seen: set[tuple[str, str]] = set()
    diagnostics: list[Diagnostic] = []
    for resource in resources:
        identity = (resource.kind, str(resource.key))
        if identity in seen:
            diagnostics.append(
                Diagnostic(source, None, "metadata.name", f"{resource.kind} {resource.key} is described twice", "once")
            )
        seen.add(identity)
    return diagnostics
