"""Whether a model failed because of itself, or because of the edge that was to serve it."""

from __future__ import annotations

from sedna.common.class_factory import UnknownClassError
from sedna.common.errors import NotFoundError, SpecError

__all__ = ["is_outside"]

_OUTSIDE = (ImportError, MemoryError, OSError, UnknownClassError, NotFoundError, SpecError)

_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory", "failed to allocate", "bad_alloc")
"""How inference engines say it, which have no exception of their own for it."""


def is_outside(error: BaseException) -> bool:
    """Whether another edge, or this one with a package, a module or memory more, could serve the model.

    What wraps the error of a user's class or of an inference engine is looked through.
    """
    found: BaseException | None = error
    while found is not None:
        text = str(found).lower()
        if isinstance(found, _OUTSIDE) or any(words in text for words in _NO_MEMORY):
            return True
        found = found.__cause__ or found.__context__
    return False
