"""Calls of estimator methods whose signatures a backend does not know."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from inspect import Parameter
from typing import Any

__all__ = ["accepts", "call_with", "filter_kwargs", "first_parameters", "is_factory", "names_parameter"]

_METHODS = ("train", "fit", "predict", "evaluate")
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.VAR_POSITIONAL)


def is_factory(estimator: Any) -> bool:
    """Whether ``estimator`` has to be called to get an instance: a class, or a function; not a callable network."""
    if inspect.isclass(estimator):
        return True
    # A torch module can be called as well: what has methods of an estimator is one.
    return callable(estimator) and not any(hasattr(estimator, name) for name in _METHODS)


def filter_kwargs(func: Callable[..., Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments that ``func`` can take: all when it collects keywords under any name, else those it names."""
    parameters = _parameters(func)
    # Upstream looks for a collector that is literally called "kwargs"; here its name does not matter.
    if parameters is None or any(p.kind is Parameter.VAR_KEYWORD for p in parameters):
        return dict(kwargs)
    named = {p.name for p in parameters if p.kind in _NAMED}
    return {key: value for key, value in kwargs.items() if key in named}


def names_parameter(func: Callable[..., Any], name: str) -> bool:
    """Whether ``func`` has a parameter of this name (collecting all keywords does not count)."""
    return any(p.name == name and p.kind in _NAMED for p in _parameters(func) or ())


def accepts(func: Callable[..., Any], name: str) -> bool:
    """Whether a keyword of this name reaches ``func``."""
    return name in filter_kwargs(func, {name: None})


def call_with(func: Callable[..., Any], name: str, value: Any, kwargs: dict[str, Any]) -> Any:
    """Call ``func`` with ``value`` as its parameter ``name``, or as its first one when it calls that otherwise.

    Upstream's backends disagree on this point (``data=`` or positional); here an estimator works with all of them.
    """
    rest = filter_kwargs(func, kwargs)
    takes_positional = any(p.kind in _POSITIONAL for p in _parameters(func) or ())
    if names_parameter(func, name) or not takes_positional:
        return func(**{name: value}, **rest)
    return func(value, **rest)


def first_parameters(func: Callable[..., Any]) -> list[str]:
    """Names of the parameters that can be given by position."""
    return [p.name for p in _parameters(func) or () if p.kind in _POSITIONAL[:2]]


def _parameters(func: Callable[..., Any]) -> list[Parameter] | None:
    """The parameters of ``func`` without ``self``; None when they cannot be found out (some C functions)."""
    try:
        return list(inspect.signature(func).parameters.values())
    except (ValueError, TypeError):
        return None
