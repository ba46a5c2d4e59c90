"""The example that the demo plays: which boards there are, what each serves for, and the job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sedna.common.errors import DataError, IntegrityError, NotFoundError
from sedna.common.types import Box, SampleId, Value, sample_id
from sedna.common.validation import as_error

STREAMS = ("stream-1", "stream-2")


class _BoardEntry(Value):
    name: str
    group: str
    part: str
    source: str
    file: str | None = None
    sha256: str | None = None
    boxes: tuple[tuple[float, float, float, float, int], ...] = ()


class _ExampleManifest(Value):
    source: str
    license: str
    encoding: str
    class_names: tuple[str, ...]
    boxes: str
    seed: int
    boards: tuple[_BoardEntry, ...]


@dataclass(frozen=True)
class Board:
    """A board on disk, with its labels."""

    path: Path
    group: str
    sample: SampleId
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Scenario:
    """The example folder, read and checked."""

    folder: Path
    class_names: tuple[str, ...]
    parts: dict[str, tuple[Board, ...]]

    @property
    def manifest_path(self) -> Path:
        """Labels by sample id, for the oracle."""
        return self.folder / "manifest.json"

    @property
    def job_path(self) -> Path:
        """The descriptions of dataset, model and job."""
        return self.folder / "job.yaml"

    def paths(self, part: str) -> list[Path]:
        """The image files of a part."""
        return [board.path for board in self.parts[part]]


def _read_board(folder: Path, board: _BoardEntry) -> Board:
    assert board.file is not None
    path = folder / board.file
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError("board is missing", where=str(path), hint="restore the example folder") from error
    found = sample_id(data)
    if found != board.sha256:
        raise IntegrityError(f"sha256 is {found}", where=str(path), hint=f"the manifest says {board.sha256}")
    boxes = tuple(Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label) for x1, y1, x2, y2, label in board.boxes)
    return Board(path, board.group, found, boxes)


def load_scenario(folder: Path) -> Scenario:
    """Read an example folder: ``manifest.json``, ``job.yaml``, ``data/``, ``initial_model/``.

    Raises:
        NotFoundError: the folder or a file in it is missing.
        DataError: the manifest is not one.
        IntegrityError: a board's bytes are not those of the manifest.
    """
    path = folder / "manifest.json"
    try:
        manifest = _ExampleManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        hint = "run from the repository, or name the folder with --example"
        raise NotFoundError("no example here", where=str(path), hint=hint) from error
    except ValidationError as error:
        raise as_error(DataError, error, str(path), what="not a manifest of boards") from error
    parts: dict[str, list[Board]] = {}
    for board in manifest.boards:
        if board.file is not None:
            parts.setdefault(board.part, []).append(_read_board(folder, board))
    missing = [part for part in (*STREAMS, "holdout") if not parts.get(part)]
    if missing:
        raise DataError(f"no boards for {', '.join(missing)}", where=str(path))
    return Scenario(folder, manifest.class_names, {part: tuple(boards) for part, boards in parts.items()})
