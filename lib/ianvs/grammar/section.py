"""Sections of the grammar as models, and reading one as far as it can be read.

A benchmark has several files, and a file may have several mistakes. A section with mistakes is therefore read again
without what is wrong in it: what is left still leads to the other files, and can be compared with them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, create_model, model_validator

from ianvs.grammar.findings import Findings
from ianvs.grammar.reading import did_you_mean, mapping_below, shown
from sedna.common.errors import SednaError, SpecError
from sedna.common.validation import Fault, every_fault

Keys = tuple[str | int, ...]
"""A path inside a section: keys of mappings, positions in lists."""

_SHAPES = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "string_type": "must be a text",
    "too_short": "must not be empty",
}
"""What to say about values of the wrong shape, by pydantic's name of the rule; an example of the right one follows."""


@dataclass(frozen=True)
class ReadContext:
    """Context of a validation: which file is read, and where to put what is found."""

    file: str
    findings: Findings


class Section(BaseModel):
    """Base of all sections: frozen. Unknown keys are ignored as upstream ignores them, but never silently."""

    model_config = ConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True)

    decisive: ClassVar[tuple[str, ...]] = ()
    """Keys whose faults are shown before all others."""

    @model_validator(mode="before")
    @classmethod
    def _note_unknown_keys(cls, data: Any, info: ValidationInfo) -> Any:
        context = context_of(info)
        if not isinstance(data, Mapping) or context is None:
            return data
        kept = cls.model_config.get("extra") == "allow"
        for key in data:
            if key in cls.model_fields:
                continue
            meant = did_you_mean(key, cls.model_fields)
            if kept and not meant:
                continue
            use = "is passed on unread" if kept else "is ignored"
            context.findings.warn(f"{context.file}: {cls.__name__}: unknown key {key!r} {use}{meant}")
        return {key: value for key, value in data.items() if value is not None or not cls._has_default(key)}

    @classmethod
    def _has_default(cls, key: Any) -> bool:
        """A key without a value (``url:``) counts as absent where it may be absent."""
        field = cls.model_fields.get(key)
        return field is not None and not field.is_required()


def context_of(info: ValidationInfo) -> ReadContext | None:
    """The context of a validation; None when a model is made in code, not read from a file."""
    return info.context if isinstance(info.context, ReadContext) else None


S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Draft(Generic[S]):
    """A section as far as it could be read. What a path in ``broken`` leads to is None, or not in its list.

    ``given`` is what the file holds: names in it count as known also where the entry around them is wrong.
    """

    file: str
    section: S
    given: Mapping[str, Any]
    broken: frozenset[Keys] = frozenset()

    def sound(self, *places: str) -> bool:
        """Whether these keys (``outer.inner``) hold all that the file gives them, so that conclusions can be drawn."""
        wanted = [tuple(place.split(".")) for place in places]
        return not any(
            keys[: len(place)] == place or place[: len(keys)] == keys for keys in self.broken for place in wanted
        )

    def get(self, key: str) -> Any:
        """The value of a key, which may be broken."""
        return getattr(self.section, key)


def read_section(
    model: type[S], file: str, key: str, findings: Findings, defaults: Mapping[str, Any] | None = None
) -> Draft[S] | None:
    """The section below the top key of a file; every fault goes to ``findings``.

    Returns:
        None if nothing of it can be used.
    """
    try:
        data = {**(defaults or {}), **mapping_below(file, key, findings)}
    except SednaError as error:
        findings.problem(error)
        return None
    context = ReadContext(file, findings)
    try:
        return Draft(file, model.model_validate(data, context=context), data)
    except ValidationError as error:
        found = every_fault(error)
    # A list whose entries are all wrong also counts as empty; that is no mistake of its own.
    paths = [fault.keys for fault in found]
    faults = [one for one in found if not any(keys != one.keys and keys[: len(one.keys)] == one.keys for keys in paths)]
    _report(model, faults, context, key)
    return _without_faults(model, data, faults, context, key)


def _report(model: type[Section], faults: Iterable[Fault], context: ReadContext, key: str) -> None:
    for fault in faults:
        decisive = bool(fault.keys) and fault.keys[0] in model.decisive
        context.findings.problem(_problem(model, fault, context.file, key), decisive=decisive)


def _without_faults(
    model: type[S], data: Mapping[str, Any], faults: Sequence[Fault], context: ReadContext, key: str
) -> Draft[S] | None:
    paths = [fault.keys for fault in faults]
    for _ in range(2):
        draft = _reread(model, data, paths, context)
        if isinstance(draft, Draft):
            return draft
        # A rule over a whole list (each type once) runs only when all its entries can be read, which is now. Anything
        # else that is wrong now is so for what was left out: a list that must not be empty, a key that is needed.
        late = [
            fault
            for fault in every_fault(draft)
            if fault.kind == "value_error" and any(fault.keys == keys[: len(fault.keys)] for keys in paths)
        ]
        if not late:
            break
        _report(model, late, context, key)
        paths += [fault.keys for fault in late]
    draft = _reread(model, data, [keys[:1] for keys in paths], context)
    return draft if isinstance(draft, Draft) else None


def _reread(
    model: type[S], data: Mapping[str, Any], paths: list[Keys], context: ReadContext
) -> Draft[S] | ValidationError:
    try:
        section = _lenient(model, paths).model_validate(_pruned(data, paths), context=context)
    except ValidationError as error:
        return error
    return Draft(context.file, section, data, frozenset(filter(None, paths)))


def _lenient(model: type[S], faults: Collection[Keys]) -> type[S]:
    """The model with every key on the way to a fault optional."""
    fields: dict[str, Any] = {}
    for key in {keys[0] for keys in faults if keys and keys[0] in model.model_fields}:
        kind: Any = model.model_fields[str(key)].annotation
        below = [keys[1:] for keys in faults if keys and keys[0] == key]
        if all(below) and isinstance(kind, type) and issubclass(kind, Section):
            kind = _lenient(kind, below)
        fields[str(key)] = (kind | None, None)
    made: type[S] = create_model(model.__name__, __base__=model, **fields)
    return made


def _pruned(data: Any, faults: Collection[Keys]) -> Any:
    """``data`` less what the faults lead to; an entry of a list goes as a whole."""
    faulty = {keys[0] for keys in faults if keys}
    if isinstance(data, list | tuple):
        return [entry for position, entry in enumerate(data) if position not in faulty]
    kept = {key: value for key, value in data.items() if key not in faulty}
    for key in faulty & set(data):
        below = [keys[1:] for keys in faults if keys and keys[0] == key]
        if all(below) and isinstance(data[key], Mapping | list | tuple):
            kept[key] = _pruned(data[key], below)
    return kept


def _problem(model: type[Section], fault: Fault, file: str, key: str) -> SpecError:
    place = key + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.keys)
    name, example = _example(model, fault.keys)
    hint = f"{name}: {example}" if example else ""
    if fault.kind == "missing":
        return SpecError(f"{place} is missing", where=file, hint=hint)
    if fault.kind in _SHAPES:
        return SpecError(f"{place} = {shown(fault.given)}: {_SHAPES[fault.kind]}", where=file, hint=hint)
    return SpecError(f"{place} = {shown(fault.given)}: {fault.message.removeprefix('Value error, ')}", where=file)


def _example(model: type[Section], keys: Keys) -> tuple[str, str]:
    """The innermost key of a path that the grammar gives an example for, and the example."""
    found = ("", "")
    sections: list[type[Section]] = [model]
    for key in keys:
        if isinstance(key, int):
            continue
        field = next((one.model_fields[key] for one in sections if key in one.model_fields), None)
        if field is None:
            break
        found = (key, str(field.examples[0])) if field.examples else ("", "")
        sections = _sections_in(field.annotation)
    return found


def _sections_in(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_in(part)]
