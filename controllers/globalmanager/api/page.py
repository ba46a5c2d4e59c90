"""The files of the page, as they were when they were asked for first."""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import globalmanager

__all__ = ["HOW_TO_BUILD", "PAGE_DIR", "Page", "PageFile", "is_built", "why_not_built"]

PAGE_DIR: Final = Path(globalmanager.__file__).parent / "web" / "dist"
"""Where a build of the package leaves them."""

INDEX: Final = "index.html"
FAULT: Final = ".fault"
"""Why the page could not be built, if that was tried."""

HOW_TO_BUILD: Final = (
    "'make page' in a copy of the repository builds it, where npm's packages can be reached; a wheel has it inside"
)

_TYPES: Final[Mapping[str, str]] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True)
class PageFile:
    """One file; ``packed`` is its gzip where that is smaller."""

    content: bytes
    packed: bytes | None
    media_type: str
    etag: str
    immutable: bool


class Page:
    """Every file of a built page, by its path. Empty where the page is not built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @functools.cached_property
    def _files(self) -> Mapping[str, PageFile]:
        # Once and whole: some hundred kB, and no browser gets one half of a build and one of the next.
        return {
            path.relative_to(self._folder).as_posix(): _load(path, self._folder)
            for path in (sorted(self._folder.rglob("*")) if is_built(self._folder) else ())
            if path.is_file() and not path.name.startswith(".")
        }

    @property
    def lack(self) -> str | None:
        """Why there is no page, in words; None if there is one."""
        if INDEX in self._files:
            return None
        return why_not_built(self._folder)

    def find(self, path: str) -> PageFile | None:
        """The file at this address, or the page itself for an address inside it; None: there is no such file."""
        found = self._files.get(path)
        if found is not None:
            return found
        # The names of views have no dots: what looks like a file and is none must not be answered with a page.
        is_view = "." not in path.rpartition("/")[2] and not path.startswith("assets/")
        return self._files.get(INDEX) if is_view else None


def is_built(folder: Path = PAGE_DIR) -> bool:
    """Whether there is a page to serve."""
    return (folder / INDEX).is_file()


def why_not_built(folder: Path = PAGE_DIR) -> str:
    """What the build has said, where it was tried."""
    fault = folder / FAULT
    return fault.read_text(encoding="utf-8").strip() if fault.is_file() else "it was not built"


def _load(path: Path, folder: Path) -> PageFile:
    content = path.read_bytes()
    packed = gzip.compress(content, mtime=0)
    return PageFile(
        content=content,
        packed=packed if len(packed) < len(content) else None,
        media_type=_TYPES.get(path.suffix.lower(), "application/octet-stream"),
        etag=hashlib.sha256(content).hexdigest(),
        # Vite names these by their content.
        immutable=path.relative_to(folder).parts[0] == "assets",
    )
