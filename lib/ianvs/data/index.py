"""Text indexes: absolute paths, and a check that what they name is there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sedna.common.errors import DataError

_SHOWN = 3


def read_lines(path: str) -> list[str]:
    """Lines of a text file without white space at their ends; blank ones are left out.

    Raises:
        DataError: not there, or not UTF-8.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read: {error}", where=path) from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def absolute_index(path: str, target: Path, *, rest_is_label: bool = False) -> tuple[str, list[str]]:
    """An index whose paths are absolute: ``path`` itself, or ``target`` written from it.

    If the first word of any line is a relative path, every word of every line is taken as a path beside the index, as
    upstream does, so that a class number becomes one too.

    Args:
        rest_is_label: only the first word of a line is a path.

    Returns:
        The path to use, and notes about it.
    """
    lines = [line.split() for line in read_lines(path)]
    if all(os.path.isabs(words[0]) for words in lines):  # noqa: PTH117
        return path, []
    root = Path(path).parent
    notes = []
    if not rest_is_label and any(len(words) > 1 and words[1].lstrip("-").isdigit() for words in lines):
        notes.append(
            f"{path}: labels that are numbers become paths (…/3), as upstream does; "
            "absolute image paths keep them as they are"
        )
    rewritten = []
    for words in lines:
        paths = words[:1] if rest_is_label else words
        absolute = [os.path.abspath(root / word) for word in paths]  # noqa: PTH100 - links stay links, as upstream
        rewritten.append(" ".join([*absolute, *words[len(paths) :]]))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("".join(f"{line}\n" for line in rewritten), encoding="utf-8")
    return str(target), notes


def check_index(path: str, *, written_from: str = "") -> None:
    """Every sample of an absolute index must be a file, and every label that should be one too.

    Labels are files if any of them is. A line without a label is wrong if others have one. A jsonl file has no files
    to look for.

    Args:
        written_from: the user's file that ``path`` was made from, for the message.

    Raises:
        DataError: the first few offending lines, or the format has no samples that could be handed out one by one.
    """
    suffix, where = Path(path).suffix, written_from or path
    if suffix == ".jsonl":
        return
    if suffix != ".txt":
        raise DataError("has no samples to infer on one by one", where=where, hint="incremental learning: txt or jsonl")
    lines = [line.split() for line in read_lines(path)]
    if not lines:
        raise DataError("has no line", where=where, hint="one sample a line")
    problems = [
        f"line {line_number}: no file {words[0]}"
        for line_number, words in enumerate(lines, 1)
        if not Path(words[0]).is_file()
    ]
    labelled = [(line_number, words) for line_number, words in enumerate(lines, 1) if len(words) > 1]
    if labelled and len(labelled) < len(lines):
        with_label = {line_number for line_number, _ in labelled}
        problems += [
            f"line {line_number}: no label" for line_number in range(1, len(lines) + 1) if line_number not in with_label
        ]
    # Whether labels are files or values is not said anywhere; if one is a file, all were meant to be.
    if any(_is_file(words) for _, words in labelled):
        problems += [
            f"line {line_number}: no label file {words[1]}" for line_number, words in labelled if not _is_file(words)
        ]
    if problems:
        raise DataError(_some(problems), where=where, hint="image and label file of every line")


def _is_file(words: Sequence[str]) -> bool:
    # PATH_MAX: a row of boxes may be longer, and asking the system about it is an error.
    return len(words[1]) < 4096 and Path(words[1]).is_file()


def _some(problems: Sequence[str]) -> str:
    more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return "; ".join(problems[:_SHOWN]) + more
