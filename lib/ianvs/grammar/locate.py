"""Paths of yaml files: relative to the working folder, then to the yaml; a stale prefix is replaced if that is unique.

Half of the published job files name folders that were moved since, or somebody's home. Their last components still
exist near the yaml, and if exactly one file fits, it is taken and a note says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from ianvs.grammar.section import ReadContext, context_of

_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")


def located(url: str, info: ValidationInfo) -> str:
    """The path of an existing file or folder for ``url``, when a file is read; unchanged when it exists as it stands.

    Raises:
        ValueError: nothing fits, or several files do.
    """
    context = context_of(info)
    if context is None:
        return url
    found = find(url, info.field_name or "", context)
    if found is None:
        raise ValueError("no such file; a path is relative to the working folder or to this yaml")
    return found


def located_code(url: str, info: ValidationInfo) -> str:
    """The path of a python file; the dotted name of a module, and an empty url, stay as they are."""
    dotted = not _exists(Path(url)) and _DOTTED.match(url) and not url.endswith(".py")
    return url if not url or dotted else located(url, info)


ExistingPath = Annotated[str, AfterValidator(located)]
CodePath = Annotated[str, AfterValidator(located_code)]


def find(url: str, key: str, context: ReadContext) -> str | None:
    """The path of an existing file or folder for ``url``, or None when nothing fits.

    Args:
        key: the key that holds ``url``, for notes.

    Raises:
        ValueError: several files fit.
    """
    if not url or _exists(Path(url)):
        return url or None
    folder = Path(context.file).resolve().parent
    beside = folder / url
    if _exists(beside):
        return str(beside)
    for fits in _suffix_matches(url, folder):
        # Guessing among several would run the benchmark on data that nobody chose.
        if len(fits) > 1:
            raise ValueError(f"does not exist, and several files could be meant: {', '.join(map(str, fits))}")
        context.findings.note(f"{context.file}: {key} = {url!r} does not exist; taking {fits[0]}")
        return str(fits[0])
    return None


def _suffix_matches(url: str, folder: Path) -> Iterator[list[Path]]:
    """For each suffix of the path, longest first, the files that end in it below the yaml's folder or a parent.

    A bare file name is looked for only beside the yaml: farther away it would mean anything.
    """
    parts = [part for part in Path(url).parts if part not in ("/", ".", "..")]
    anchors = [folder, *folder.parents[:-1]]
    for start in range(len(parts)):
        suffix = Path(*parts[start:])
        near = anchors if len(parts) - start > 1 else anchors[:1]
        fits = list(dict.fromkeys(path for anchor in near if _exists(path := anchor / suffix)))
        if fits:
            yield fits


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file system can hold, or a folder that may not be looked into
        return False
