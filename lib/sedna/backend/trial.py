"""Try whether a user's file registers what a job names, in a process of its own: ``python -m sedna.backend.trial``.

Reads ``{"module", "name", "parameters", "class_names"}`` as JSON from standard input and answers on standard output
with ``{}``, or with a `Refusal`. The file may print what it likes; that goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import sedna.algorithms  # noqa: F401  (a file may build on the names of the built-in ones)
from sedna.backend.estimator import bind_estimator
from sedna.common.class_factory import ClassFactory, ClassType, UnknownClassError
from sedna.common.errors import SednaError, SpecError
from sedna.common.plugin import load_modules
from sedna.common.types import Value

__all__ = ["Refusal", "main", "try_module"]


class Refusal(Value):
    """Why a worker could not work with the file. ``key``: which part of ``algorithm`` is wrong."""

    key: str
    message: str
    hint: str = ""


def try_module(module: str, name: str, parameters: dict[str, Any], class_names: list[str]) -> Refusal | None:
    """Load the file in this process, and look for the class; None if a worker could make it."""
    before = ClassFactory.names(ClassType.GENERAL)
    try:
        load_modules([module])
    except SednaError as error:
        return _refusal("module", error)
    # A program without the check of __name__ ends here; it would end the worker too.
    except SystemExit as error:
        return _refusal("module", SpecError(f"ends the process when it is loaded ({error.code!r})", where=module))
    try:
        bind_estimator(name, parameters, class_names, "")
    except UnknownClassError:
        brought = ", ".join(sorted(set(ClassFactory.names(ClassType.GENERAL)) - set(before))) or "nothing"
        hint = f'@ClassFactory.register(ClassType.GENERAL, alias="{name}") on the class'
        return Refusal(key="name", message=f"{module} does not register {name!r}; it registers {brought}", hint=hint)
    except SednaError as error:
        return _refusal("parameters", error)
    return None


def _refusal(key: str, error: SednaError) -> Refusal:
    place = f"{error.where}: " if error.where else ""
    return Refusal(key=key, message=f"{place}{error.message}", hint=error.hint)


def main() -> int:
    """Answer one question."""
    order = json.load(sys.stdin)
    # Descriptor 1 and not sys.stdout: libraries in C print as well, and one line of theirs would spoil the answer.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answer:
        os.dup2(2, 1)
        refusal = try_module(order["module"], order["name"], order["parameters"], order["class_names"])
        answer.write("{}" if refusal is None else refusal.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
