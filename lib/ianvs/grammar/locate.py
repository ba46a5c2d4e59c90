"""Paths of yaml files: relative to the working folder, then to the yaml; a stale prefix is replaced if that is unique.

Half of the published job files name folders that were moved since, or somebody's home. Their last components still
exist near the yaml, and if exactly one file fits, it is taken and said so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ianvs.grammar.reading import Notes
from sedna.common.errors import SpecError


def locate(url: str, yaml_file: str, at: str, notes: Notes) -> str:
    """The path of an existing file or folder for ``url``; unchanged when it exists as it stands.

    Args:
        yaml_file: the file that holds ``url``.
        at: key path in that file, for messages.

    Raises:
        SpecError: nothing fits, or several files do.
    """
    found = find(url, yaml_file, at, notes)
    if found is None:
        raise SpecError(
            f"{at} = {url!r}: no such file",
            where=yaml_file,
            hint="a path relative to the working folder or to this yaml",
        )
    return found


def find(url: str, yaml_file: str, at: str, notes: Notes) -> str | None:
    """As `locate`, but None when nothing fits."""
    if not url or Path(url).exists():
        return url or None
    folder = Path(yaml_file).resolve().parent
    beside = folder / url
    if beside.exists():
        return str(beside)
    for fits in _suffix_matches(url, folder):
        if len(fits) > 1:
            names = ", ".join(str(path) for path in fits)
            raise SpecError(
                f"{at} = {url!r} does not exist, and several files could be meant: {names}", where=yaml_file
            )
        notes.add(f"{yaml_file}: {at} = {url!r} does not exist; taking {fits[0]}")
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
        fits = list(dict.fromkeys(path for anchor in near if (path := (anchor / suffix)).exists()))
        if fits:
            yield fits
