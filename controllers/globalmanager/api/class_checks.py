"""A check that the algorithms and miners that a job names exist, and accept their parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ValidationError

from globalmanager.api.key_paths import Location, Mistake, closest, shown
from globalmanager.api.module_checks import ModuleCheck
from sedna.algorithms import CONFIGURATIONS
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import UserError
from sedna.common.validation import every_fault
from sedna.loop.spec import Algorithm, HardExampleMining, JobSpec

__all__ = ["NamedClasses", "check_classes"]

_Part = TypeVar("_Part", bound=BaseModel)


@dataclass(frozen=True)
class NamedClasses:
    """The parts of a job's description that name classes, as far as they can be read."""

    train: Algorithm | None = None
    evaluation: Algorithm | None = None
    mining: HardExampleMining | None = None
    class_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, spec: JobSpec) -> Self:
        """Those of a description that is right otherwise. What a container holds is not ours to know."""
        mining = spec.deploy_spec.hard_example_mining if spec.deploy_spec.template is None else None
        return cls(spec.train_spec.algorithm, spec.eval_spec.algorithm, mining, spec.class_names)

    @classmethod
    def found_in(cls, spec: Any) -> Self:
        """Those of a description with mistakes elsewhere, of which parts were taken out."""
        names = _field(spec, "classNames")
        right = isinstance(names, list) and all(isinstance(name, str) for name in names)
        deploy = _field(spec, "deploySpec")
        return cls(
            _read(Algorithm, _field(_field(spec, "trainSpec"), "algorithm")),
            _read(Algorithm, _field(_field(spec, "evalSpec"), "algorithm")),
            _read(HardExampleMining, _field(deploy, "hardExampleMining"))
            if _field(deploy, "template") is None
            else None,
            tuple(names) if right else (),
        )


def _field(value: Any, key: str) -> Any:
    """The value under ``key``, None where there is none."""
    return value.get(key) if isinstance(value, dict) else None


def _read(model: type[_Part], content: Any) -> _Part | None:
    try:
        return None if content is None else model.model_validate(content)
    except ValidationError:
        return None  # what is wrong with it was said already


def check_classes(named: NamedClasses, modules: ModuleCheck) -> Iterator[Mistake]:
    """Mistakes: unknown names, files that do not register them, and parameters that an algorithm or miner refuses.

    Classes inside containers cannot be checked here.
    """
    for section, algorithm in (("trainSpec", named.train), ("evalSpec", named.evaluation)):
        if algorithm is None:
            continue
        if algorithm.module is None:
            yield from _algorithm(section, algorithm)
        else:
            yield from modules.mistakes(("spec", section, "algorithm"), algorithm, named.class_names)
    if named.mining is not None:
        yield from _miner(named.mining)


def _algorithm(section: str, algorithm: Algorithm) -> Iterator[Mistake]:
    known = ClassFactory.names(ClassType.GENERAL)
    loc = ("spec", section, "algorithm")
    if algorithm.name not in known:
        yield Mistake(
            (*loc, "name"),
            f"no algorithm {shown(algorithm.name)} is registered",
            f"{_suggest(algorithm.name, known)}; your own class needs algorithm.module, the file that registers it",
        )
    elif ClassFactory.is_built_in(ClassType.GENERAL, algorithm.name) and algorithm.name in CONFIGURATIONS:
        yield from _parameters((*loc, "parameters"), algorithm)


def _parameters(loc: Location, algorithm: Algorithm) -> Iterator[Mistake]:
    """Each parameter that a built-in algorithm would refuse when its first worker starts."""
    module, name = CONFIGURATIONS[algorithm.name]
    config: type[BaseModel] = getattr(import_module(module), name)
    given = algorithm.parameters
    known = tuple(config.model_fields)
    for key in given:
        if key not in known:
            hint = closest(key, known) or f"parameters of {algorithm.name}: {', '.join(known)}"
            yield Mistake((*loc, key), f"{algorithm.name} has no parameter {shown(key)}", hint)
    try:
        config.model_validate({key: value for key, value in given.items() if key in known})
    except ValidationError as error:
        told: set[int | str] = set()
        for fault in every_fault(error):
            # Of a parameter that may be of two kinds both say what they would take: one mistake.
            if not fault.keys or fault.keys[0] in told:
                continue
            told.add(fault.keys[0])
            described = config.model_fields[str(fault.keys[0])].description
            yield Mistake((*loc, *fault.keys), f"{fault.message}; got {shown(fault.given)}", described or "")


def _miner(mining: HardExampleMining) -> Iterator[Mistake]:
    loc = ("spec", "deploySpec", "hardExampleMining")
    known = ClassFactory.names(ClassType.HEM)
    if mining.name not in known:
        own = "--module FILE makes your own known, here, to `sedna up` and to every edge"
        hint = f"{_suggest(mining.name, known)}; {own}"
        yield Mistake((*loc, "name"), f"no miner {shown(mining.name)} is registered", hint)
        return
    miner = ClassFactory.get_cls(ClassType.HEM, mining.name)
    given, accepted = mining.as_dict(), inspect.signature(miner).parameters
    # Built-in miners take and ignore foreign parameters, as upstream's do; in a description they are a typing mistake.
    named = [name for name, entry in accepted.items() if entry.kind is not inspect.Parameter.VAR_KEYWORD]
    strict = len(named) == len(accepted) or miner.__module__.startswith("sedna.")
    unknown = [key for key in given if strict and key not in named]
    for key in unknown:
        hint = f"{closest(key, named)} parameters of {mining.name}: {', '.join(named) or 'none'}".strip()
        yield Mistake((*loc, "parameters"), f"unknown parameter {shown(key)}", hint)
    try:
        # Making one is cheap for every miner, and the only way to let it check the values itself.
        miner(**{key: value for key, value in given.items() if key not in unknown})
    except UserError as error:
        which = f"{error.where.rpartition('.')[2]}: " if error.where else ""
        yield Mistake((*loc, "parameters"), which + error.message, error.hint)


def _suggest(name: str, known: tuple[str, ...]) -> str:
    names = f"known names: {', '.join(known)}"
    guess = closest(name, known)
    return f"{guess} {names}" if guess else names
