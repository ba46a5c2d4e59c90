"""Cutting a stream into rounds, in file order, by upstream's rules."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ianvs.data.index import read_lines
from sedna.common.errors import DataError, SpecError


@dataclass(frozen=True)
class StreamPiece:
    """Files of one round: what is inferred on, and what judges the round's candidate; how many samples each has."""

    id: int
    inference: str
    evaluation: str
    sizes: tuple[int, int]


Numbered = list[tuple[int, list[str], list[str]]]


def split_dataset(
    url: str, ratio: float, method: str, types: tuple[str, str], output_dir: str, times: int
) -> list[StreamPiece]:
    """Write ``<type>-<id>.<format>`` files into ``output_dir``.

    Raises:
        SpecError: unknown method.
        DataError: the data cannot be cut that way.
    """
    if method not in METHODS:
        raise SpecError(f"splitting_method {method!r} is not known", hint=f"one of: {', '.join(METHODS)}")
    suffix = Path(url).suffix
    header, rows = _read(url)
    if not rows:
        raise DataError("has no sample to split", where=url)
    Path(output_dir).mkdir(parents=True, exist_ok=True)
    result = []
    for piece_id, first, second in METHODS[method](rows, ratio, times):
        names = [f"{output_dir}/{kind}-{piece_id}{suffix}" for kind in types]
        for name, part in zip(names, (first, second), strict=True):
            Path(name).write_text("".join(f"{line}\n" for line in [*header, *part]), encoding="utf-8")
        result.append(StreamPiece(piece_id, names[0], names[1], (len(first), len(second))))
    return result


def _read(url: str) -> tuple[list[str], list[str]]:
    """Header lines and sample lines."""
    kind = Path(url).suffix
    if kind in (".txt", ".jsonl"):
        return [], read_lines(url)
    if kind == ".csv":
        # Parsed and written again, since a quoted field may hold line breaks.
        text = Path(url).read_text(encoding="utf-8-sig")
        records = list(csv.reader(io.StringIO(text)))
        lines = []
        for record in records:
            line = io.StringIO()
            csv.writer(line, lineterminator="").writerow(record)
            lines.append(line.getvalue())
        return lines[:1], lines[1:]
    raise DataError(f"a {kind or 'nameless'} file cannot be split into rounds", where=url, hint="txt, jsonl or csv")


def _cut(lines: list[str], ratio: float) -> tuple[list[str], list[str]]:
    border = int(len(lines) * ratio)
    return lines[:border], lines[border:]


def _pieces(lines: list[str], ratio: float, times: int, start: int = 1) -> Numbered:
    """``times`` equal pieces; the last one takes what is left over."""
    if times < 1:
        return []
    # Upstream rounds down and lets the last piece have the rest; figures compare only if pieces are the same.
    step = len(lines) // times
    ends = [step * (index + 1) for index in range(times - 1)] + [len(lines)]
    return [(start + n, *_cut(lines[step * n : end], ratio)) for n, end in enumerate(ends)]


def _default(lines: list[str], ratio: float, times: int) -> Numbered:
    return _pieces(lines, ratio, times)


def _fwt(lines: list[str], ratio: float, times: int) -> Numbered:
    """An extra piece 0 of one line, then as default."""
    return [(0, lines[:1], lines[:1]), *_pieces(lines, ratio, times)]


def _city(lines: list[str], ratio: float, times: int) -> Numbered:
    """Piece 1 is the simulated part at the start; the real part makes the other pieces."""
    border = next((n for n, line in enumerate(lines) if "synthia_sim" not in line), len(lines))
    return [(1, *_cut(lines[:border], ratio)), *_pieces(lines[border:], ratio, times - 1, start=2)]


def _hard_example(lines: list[str], ratio: float, times: int) -> Numbered:
    """Piece 0 is the first half; the second half makes ``times`` pieces."""
    half = len(lines) // 2
    return [(0, *_cut(lines[:half], ratio)), *_pieces(lines[half:], ratio, times)]


METHODS: dict[str, Callable[[list[str], float, int], Numbered]] = {
    "default": _default,
    "fwt_splitting": _fwt,
    "city_splitting": _city,
    "hard-example_splitting": _hard_example,
}
