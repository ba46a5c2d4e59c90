"""Names under which user files and built-ins are registered, and what the built-ins say to their hyper-parameters.

User code is looked at and never run. Built-ins are made: their constructors only check what they are given.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence

from ianvs.grammar import AlgorithmConfig, MetricConfig
from ianvs.grammar.algorithm import LIFELONG, Module, ModuleChoice
from ianvs.grammar.reading import did_you_mean
from ianvs.grammar.section import Draft
from ianvs.usercode.inspection import Inspection
from ianvs.usercode.parts import FACTORY_TYPES, make_built_in
from sedna.common.class_factory import ClassFactory, ClassType, MissingPackageError
from sedna.common.errors import SednaError, SpecError


def algorithm_files(algorithm: Draft[AlgorithmConfig]) -> list[str]:
    """The Python files that an algorithm names, in the order in which they are loaded."""
    parts = (*(algorithm.get("third_party_packages") or ()), *(algorithm.get("modules") or ()))
    return [part.url for part in parts if part.url]


def unregistered_modules(algorithm: Draft[AlgorithmConfig], metric_files: Sequence[str]) -> Iterator[str]:
    """A warning for each module whose name neither a file registers nor a built-in has."""
    seen = Inspection.of([*algorithm_files(algorithm), *metric_files])  # all are loaded before a name is looked up
    for module in _named(algorithm):
        kind = FACTORY_TYPES[module.type]
        built_in = _built_in(kind)
        if not seen.errors and not seen.registers(kind, module.name) and module.name not in built_in:
            yield (
                f"{algorithm.file}: no file registers the {module.type} {module.name!r} ({kind}); "
                f"registered is: {_listed(seen)}; built in: {', '.join(built_in)}"
                f"{did_you_mean(module.name, [*built_in, *_aliases(seen, kind)])}"
            )


def unregistered_metric(testenv_file: str, metric: MetricConfig, files: Sequence[str]) -> Iterator[str]:
    """A warning, if neither the metric's own file nor ``files`` of the algorithms register its name."""
    own = Inspection.of([metric.url])
    everywhere = Inspection.of([*files, metric.url])
    if not everywhere.errors and not everywhere.registers(ClassType.GENERAL, metric.name):
        yield (
            f"{testenv_file}: no file registers the metric {metric.name!r} ({ClassType.GENERAL}); {metric.url} "
            f"registers: {_listed(own)}{did_you_mean(metric.name, _aliases(own, ClassType.GENERAL))}"
        )


def _listed(seen: Inspection) -> str:
    return ", ".join(sorted(f"{name!r} ({kind})" for kind, name in seen.registered)) or "nothing"


def _aliases(seen: Inspection, kind: str) -> list[str]:
    return sorted(alias for registered, alias in seen.registered if registered == kind)


def _built_in(kind: str) -> tuple[str, ...]:
    from sedna.algorithms import BUILT_IN

    return tuple(sorted(alias for of, alias, _ in BUILT_IN if of == kind))


def _named(algorithm: Draft[AlgorithmConfig]) -> list[Module]:
    """The modules that are looked up by name; the method of lifelong learning is checked with its task set."""
    if algorithm.section.paradigm_type == LIFELONG:
        return []
    return [module for module in algorithm.get("modules") or () if module.type in FACTORY_TYPES]


def _built_in_modules(algorithm: Draft[AlgorithmConfig], metric_files: Sequence[str]) -> list[Module]:
    """The modules for which a built-in is made: no file may stand for it under its name."""
    seen = Inspection.of([*algorithm_files(algorithm), *metric_files])
    return [
        module
        for module in _named(algorithm)
        if not module.url
        and not seen.registers(FACTORY_TYPES[module.type], module.name)
        and module.name in _built_in(FACTORY_TYPES[module.type])
    ]


def built_in_problems(
    algorithm: Draft[AlgorithmConfig], metric_files: Sequence[str], seed: tuple[str, int] | None
) -> Iterator[SednaError]:
    """What a built-in refuses: an unknown hyper-parameter, or a value out of range; each refusal once.

    Args:
        seed: ``seed_parameter`` and a value, which every basemodel of the job gets besides.
    """
    for module in _built_in_modules(algorithm, metric_files):
        told = set()
        for values in module.combinations():
            given = {**values, **(dict([seed]) if seed and module.type == "basemodel" else {})}
            unknown = _ignored(module, given)
            known = {name: value for name, value in given.items() if name not in unknown}
            try:
                make_built_in(ModuleChoice(type=module.type, name=module.name, url="", hyperparameters=known))
            except MissingPackageError:
                break  # told as a warning: another machine may run the job
            except SednaError as error:
                if str(error) not in told:
                    told.add(str(error))
                    yield SpecError(
                        f"algorithm.modules: the {module.type} {module.name!r} refuses its hyper-parameters: {error}",
                        where=algorithm.file,
                    )


def built_in_warnings(algorithm: Draft[AlgorithmConfig], metric_files: Sequence[str]) -> Iterator[str]:
    """Hyper-parameters that a built-in ignores, and built-ins that need a package which is not here."""
    for module in _built_in_modules(algorithm, metric_files):
        place = f"{algorithm.file}: algorithm.modules: the {module.type} {module.name!r}"
        names = dict.fromkeys(name for values in module.combinations() for name in values)
        try:
            for name in _ignored(module, names):
                yield f"{place} ignores {name!r}{did_you_mean(name, _parameters(module))}"
        except MissingPackageError as error:
            yield f"{place} cannot be made on this machine: {error}"


def _ignored(module: Module, given: Iterable[str]) -> list[str]:
    """Miners ignore what they do not know, as upstream's do; basemodels refuse it."""
    if FACTORY_TYPES[module.type] != ClassType.HEM:
        ClassFactory.get_cls(FACTORY_TYPES[module.type], module.name)  # that its package is missing is found here
        return []
    known = _parameters(module)
    return [name for name in given if name not in known]


def _parameters(module: Module) -> list[str]:
    """The parameters that a class names, and those that its bases name and it passes on."""
    cls = ClassFactory.get_cls(FACTORY_TYPES[module.type], module.name)
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [
        name
        for base in cls.__mro__[:-1]
        if "__init__" in vars(base)
        for name, parameter in inspect.signature(base.__init__).parameters.items()
        if parameter.kind in named and name != "self"
    ]
