"""A check that the algorithms and miners that a job names exist, and that the miner accepts its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from globalmanager.api.key_paths import Mistake, closest, shown
from globalmanager.api.module_checks import ModuleCheck
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import UserError
from sedna.loop.spec import Algorithm, HardExampleMining, JobSpec

__all__ = ["check_classes"]


def check_classes(spec: JobSpec, modules: ModuleCheck) -> Iterator[Mistake]:
    """Mistakes: unknown names, files that do not register them, and parameters that a miner refuses.

    Classes inside containers cannot be checked here.
    """
    for section, algorithm in (("trainSpec", spec.train_spec.algorithm), ("evalSpec", spec.eval_spec.algorithm)):
        if algorithm is None:
            continue
        if algorithm.module is None:
            yield from _algorithm(section, algorithm)
        else:
            yield from modules.mistakes(("spec", section, "algorithm"), algorithm, spec.class_names)
    if spec.deploy_spec.template is None:
        yield from _miner(spec.deploy_spec.hard_example_mining)


def _algorithm(section: str, algorithm: Algorithm) -> Iterator[Mistake]:
    known = ClassFactory.names(ClassType.GENERAL)
    if algorithm.name not in known:
        yield Mistake(
            ("spec", section, "algorithm", "name"),
            f"no algorithm {shown(algorithm.name)} is registered",
            f"{_suggest(algorithm.name, known)}; your own class needs algorithm.module, the file that registers it",
        )


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
    unknown = [key for key in given if key not in named]
    if unknown and (len(named) == len(accepted) or miner.__module__.startswith("sedna.")):
        hint = f"{closest(unknown[0], named)} parameters of {mining.name}: {', '.join(named) or 'none'}".strip()
        yield Mistake((*loc, "parameters"), f"unknown parameter {shown(unknown[0])}", hint)
        return
    try:
        # Making one is cheap for every miner, and the only way to let it check the values itself.
        miner(**given)
    except UserError as error:
        which = f"{error.where.rpartition('.')[2]}: " if error.where else ""
        yield Mistake((*loc, "parameters"), which + error.message, error.hint)


def _suggest(name: str, known: tuple[str, ...]) -> str:
    names = f"known names: {', '.join(known)}"
    guess = closest(name, known)
    return f"{guess} {names}" if guess else names
