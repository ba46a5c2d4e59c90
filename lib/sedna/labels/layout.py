"""Where label files and pictures lie to each other in the folders that tools make."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["PICTURES", "Pictures", "below", "stem", "with_part", "without_part"]

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
"""Suffixes of picture files, in lower case."""


def below(name: str, start: str) -> bool:
    """Whether a file is ``start`` itself or lies below it; everything is below ""."""
    return not start or name == start or name.startswith(f"{start}/")


def stem(name: str) -> str:
    """A path without its last suffix."""
    folder, slash, last = name.rpartition("/")
    start, dot, _ = last.rpartition(".")
    return f"{folder}{slash}{start}" if dot and start else name


def with_part(path: str, part: str, other: str) -> str:
    """``path`` with its last component ``part`` called ``other``; unchanged where it has none."""
    before, found, after = f"/{path}/".rpartition(f"/{part}/")
    return f"{before}/{other}/{after}"[1:-1] if found else path


def without_part(path: str, part: str) -> str:
    """``path`` without its last component ``part``; unchanged where it has none."""
    before, found, after = f"/{path}/".rpartition(f"/{part}/")
    return f"{before}/{after}".strip("/") if found else path


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
        found = next(filter(None, map(self._there, candidates)), None)
        # The suffix of a picture that is there is known; of others every one is possible.
        suffixes = PICTURES if found is None else (found[found.rindex(".") :],)
        chosen = unless if found is None else found
        spelt = [name for candidate in candidates for name in _spellings(candidate, suffixes)]
        return chosen, tuple(name for name in dict.fromkeys(spelt) if name != chosen)

    def _there(self, candidate: str) -> str | None:
        return candidate if candidate in self._names else self._by_stem.get(candidate)


def _spellings(candidate: str, suffixes: Sequence[str]) -> Sequence[str]:
    return (candidate,) if candidate.lower().endswith(PICTURES) else [candidate + suffix for suffix in suffixes]
