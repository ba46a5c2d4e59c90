"""Where in the user's code an error was raised, or the code that is at fault is defined."""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import ianvs
import sedna


def user_place(error: BaseException) -> str:
    """``file:line`` of the innermost line of user code that led to an error, or "" if none did.

    User code is what belongs neither to us nor to Python nor to an installed package. Of an error with causes the
    first cause that knows a line counts: it is where things went wrong.
    """
    for cause in reversed(list(_causes(error))):
        if isinstance(cause, SyntaxError) and cause.filename and _is_users(cause.filename):
            return f"{_short(cause.filename)}:{cause.lineno}"  # such a file has no frame: it never ran
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            if _is_users(frame.filename):
                return f"{_short(frame.filename)}:{frame.lineno}"
    return ""


def defined_at(thing: Any) -> str:
    """``file:line`` of a function, a method or the constructor of a class; its name if it has no Python source."""
    function = thing.__init__ if inspect.isclass(thing) else inspect.unwrap(thing)
    code = getattr(function, "__code__", None)
    if code is None:
        return str(getattr(thing, "__qualname__", thing))
    return f"{_short(code.co_filename)}:{code.co_firstlineno}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _is_users(file: str) -> bool:
    path = Path(os.path.realpath(file))
    return path.is_file() and not any(path.is_relative_to(root) for root in _roots_of_others())


@cache
def _roots_of_others() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    roots = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    for package in (sedna, ianvs):
        roots += list(package.__path__)
    return tuple(Path(os.path.realpath(root)) for root in roots)


def _short(file: str) -> str:
    """Relative to the working folder if it is below it, as the user's yaml names it."""
    path = Path(os.path.realpath(file))
    here = Path(os.path.realpath(os.curdir))
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
