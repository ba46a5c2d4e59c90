"""Where label files and pictures lie to each other in the folders that tools make."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

__all__ = ["PICTURES", "Pictures", "below", "stem", "with_part", "without_part"]

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
"""Suffixes of picture files, in lower case."""


def below(name: str, start: str) -> bool:
    """Whether a file is ``start`` itself or lies below it; everything is below ""."""
    return not start or name == start or name.startswith(f"{start}/")


def stem(name: str) -> str:
    """A path without its last suffix."""
    return str(PurePosixPath(name).with_suffix("")) if name else name


def with_part(path: str, part: str, other: str) -> str:
    """``path`` with its last component ``part`` called ``other``; unchanged where it has none."""
    parts = list(PurePosixPath(path).parts)
    if part in parts:
        parts[len(parts) - 1 - parts[::-1].index(part)] = other
    return str(PurePosixPath(*parts))


def without_part(path: str, part: str) -> str:
    """``path`` without its last component ``part``; unchanged where it has none."""
    parts = list(PurePosixPath(path).parts)
    if part in parts:
        del parts[len(parts) - 1 - parts[::-1].index(part)]
    return str(PurePosixPath(*parts))


class Pictures:
    """The pictures among the files of a label set."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = {name for name in names if name.lower().endswith(PICTURES)}
        # Of "a.jpg" and "a.png" always the same one, whatever order the names come in.
        self._by_stem = {stem(name): name for name in sorted(self._names, reverse=True)}

    def has(self, candidate: str) -> bool:
        """Whether there is a picture of this stem."""
        return candidate in self._by_stem

    def named(self, candidates: Sequence[str], *, unless: str) -> tuple[str, tuple[str, ...]]:
        """The first candidate that is there, then the other ones.

        Args:
            candidates: paths, the best first; one without a picture's suffix stands for a picture of that stem.
            unless: what the picture is called where none is there: labels often come without pictures.
        """
        spelt = list(dict.fromkeys(name for candidate in candidates for name in self._spellings(candidate)))
        found = next((name for name in spelt if name in self._names), unless)
        return found, tuple(name for name in spelt if name != found)

    def _spellings(self, candidate: str) -> tuple[str, ...]:
        if candidate.lower().endswith(PICTURES):
            return (candidate,)
        there = self._by_stem.get(candidate)
        return (there,) if there else tuple(candidate + suffix for suffix in PICTURES)
