"""What user files registered: modules of an algorithm, and metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ianvs.grammar.algorithm import ModuleChoice
from ianvs.grammar.testenv import MetricConfig
from ianvs.usercode.loader import UserCode
from ianvs.usercode.trace import defined_at
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import DataError, SednaError, SpecError

MetricFunction = Callable[..., Any]

FACTORY_TYPES = {"basemodel": ClassType.GENERAL, "hard_example_mining": ClassType.HEM}
"""Type under which a module of an algorithm is registered."""


@dataclass(frozen=True)
class MinerChoice:
    """A registered miner and its parameters; every job makes its own instance, as upstream."""

    name: str
    parameters: dict[str, Any]

    def make(self) -> Callable[[Any], Any]:
        """A fresh miner.

        Raises:
            SpecError, NotFoundError: no miner has this name, or it refuses the parameters.
        """
        cls = ClassFactory.get_cls(FACTORY_TYPES["hard_example_mining"], self.name)
        miner: Callable[[Any], Any] = _instance(cls, self.name, self.parameters)
        return miner


def make_built_in(module: ModuleChoice) -> None:
    """Make the built-in of a name with these hyper-parameters, to hear what it says to them.

    Raises:
        SednaError: it refuses them.
        MissingPackageError: it needs a package that is not installed.
    """
    _instance(ClassFactory.get_cls(FACTORY_TYPES[module.type], module.name), module.name, module.hyperparameters)


def load_miner(code: UserCode, module: ModuleChoice) -> MinerChoice:
    """The miner of an algorithm; its file is loaded now, its class is made per job."""
    if module.url:
        code.load(module.url)
    return MinerChoice(module.name, dict(module.hyperparameters))


def load_estimator(code: UserCode, module: ModuleChoice, needed: tuple[str, ...]) -> Any:
    """The basemodel's instance.

    Args:
        needed: methods it must have; ``a|b`` means one of both.

    Raises:
        SpecError: its class is not registered, refuses the hyper-parameters, or lacks a method.
    """
    if module.url:
        code.load(module.url)
    cls = ClassFactory.get_cls(FACTORY_TYPES[module.type], module.name)
    estimator = _instance(cls, module.name, module.hyperparameters)
    for entry in needed:
        if not any(callable(getattr(estimator, name, None)) for name in entry.split("|")):
            raise SpecError(
                f"the {module.type} {module.name!r} has no method {entry.replace('|', ' or ')}",
                where=module.url or module.name,
                hint=f"needed: {', '.join(needed)}",
            )
    return estimator


def _instance(cls: Callable[..., Any], name: str, parameters: dict[str, Any]) -> Any:
    try:
        return cls(**parameters)
    except SednaError:
        raise
    except TypeError as error:  # as a rule a hyper-parameter that the constructor does not know
        given = ", ".join(parameters) or "none"
        raise SpecError(
            f"{name!r} cannot be made from its hyper-parameters ({given}): {error}", where=defined_at(cls)
        ) from error


def load_metric(code: UserCode, metric: MetricConfig) -> MetricFunction:
    """The function that a metric's file registered.

    Raises:
        SpecError: it has no file, or the file did not register the name.
    """
    if not metric.url:
        raise SpecError(f"metric {metric.name!r} has no url", hint="the python file that registers it")
    code.load(metric.url)
    function: MetricFunction = ClassFactory.get_cls(ClassType.GENERAL, metric.name)
    return function


def call_metric(function: MetricFunction, name: str, truth: Any, answers: Any) -> Any:
    """The metric's value.

    Raises:
        DataError: it raised; the message names metric and cause.
    """
    try:
        return function(truth, answers)
    except SednaError:
        raise
    except Exception as error:
        raise DataError(f"metric {name!r} raised {type(error).__name__}: {error}") from error
