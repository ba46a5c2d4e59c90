"""Make the demo's data out of a copy of DeepPCB: boards as 1-bit PNG, and what each of them is for.

    python make_subset.py --source DeepPCB/PCBData

Same source, same seed, same choice. Boards are drawn per group; every board serves one part only.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
SEED = 20240501
CLASS_NAMES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
THRESHOLD = 128

# Boards per group: hold-out, first stream, second stream, first model. The first model knows three groups; the first
# stream brings four new ones, the second stream four more.
PLAN: dict[str, tuple[int, int, int, int]] = {
    "group00041": (6, 10, 6, 80),
    "group20085": (6, 10, 6, 80),
    "group44000": (6, 10, 6, 70),
    "group12100": (6, 14, 6, 0),
    "group12300": (6, 12, 6, 0),
    "group13000": (6, 14, 6, 0),
    "group50600": (6, 10, 6, 0),
    "group12000": (6, 0, 6, 0),
    "group77000": (6, 0, 11, 0),
    "group90100": (6, 0, 11, 0),
    "group92000": (6, 0, 10, 0),
}
PARTS = ("holdout", "stream-1", "stream-2", "initial")


@dataclass(frozen=True)
class Board:
    """One board of DeepPCB: the picture, its boxes x1, y1, x2, y2, label (DeepPCB's class - 1), where it came from."""

    group: str
    picture: Path
    boxes: tuple[tuple[int, int, int, int, int], ...]

    @property
    def name(self) -> str:
        return self.picture.stem.removesuffix("_test")

    @property
    def source(self) -> str:
        """Path inside PCBData."""
        return "/".join(self.picture.parts[-3:])


def read_boards(root: Path, group: str) -> list[Board]:
    """The boards of a group, by name."""
    boards = []
    for label_file in sorted(root.glob(f"{group}/*_not/*.txt")):
        folder = label_file.parent.parent / label_file.parent.name.removesuffix("_not")
        rows = [[int(value) for value in line.split()] for line in label_file.read_text().splitlines() if line.strip()]
        boxes = tuple((x1, y1, x2, y2, kind - 1) for x1, y1, x2, y2, kind in rows)
        boards.append(Board(group, folder / f"{label_file.stem}_test.jpg", boxes))
    return boards


def choose(root: Path) -> dict[str, list[Board]]:
    """The boards of every part, disjoint."""
    chosen: dict[str, list[Board]] = {part: [] for part in PARTS}
    for position, (group, counts) in enumerate(PLAN.items()):
        boards = read_boards(root, group)
        if len(boards) < sum(counts):
            raise SystemExit(f"{root / group}: {len(boards)} boards, {sum(counts)} are needed; is this all of DeepPCB?")
        order = np.random.default_rng((SEED, position)).permutation(len(boards))
        start = 0
        for part, count in zip(PARTS, counts, strict=True):
            chosen[part] += sorted((boards[i] for i in order[start : start + count]), key=lambda board: board.name)
            start += count
    for position, part in enumerate(("stream-1", "stream-2")):
        # A camera does not see the boards sorted by product.
        order = np.random.default_rng((SEED, 100 + position)).permutation(len(chosen[part]))
        chosen[part] = [chosen[part][i] for i in order]
    return chosen


def encode(picture: Path) -> bytes:
    """1-bit PNG of a board. DeepPCB's boards are bilevel; their JPEG files carry coding noise, which this removes."""
    with Image.open(picture) as image:
        gray = np.asarray(image.convert("L"))
    buffer = io.BytesIO()
    Image.fromarray(gray >= THRESHOLD).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def write(chosen: dict[str, list[Board]], target: Path) -> list[dict[str, object]]:
    """Write the pictures of all parts but the first model's; answer the rows of the manifest."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    rows: list[dict[str, object]] = []
    for part, boards in chosen.items():
        for board in boards:
            row: dict[str, object] = {"name": board.name, "group": board.group, "part": part, "source": board.source}
            if part != "initial":
                data = encode(board.picture)
                (target / f"{board.name}.png").write_bytes(data)
                row["file"] = f"data/{board.name}.png"
                row["sha256"] = hashlib.sha256(data).hexdigest()
                row["boxes"] = [list(box) for box in board.boxes]
            rows.append(row)
    return rows


def write_manifest(rows: list[dict[str, object]], path: Path) -> None:
    """JSON with one board a line, so that a change shows as a line."""
    head = {
        "source": "DeepPCB, https://github.com/tangsanli5201/DeepPCB",
        "license": "MIT, see LICENSE",
        "encoding": f"640 x 640, 1-bit PNG: gray value >= {THRESHOLD}",
        "class_names": list(CLASS_NAMES),
        "boxes": "x1, y1, x2, y2, label; pixels, label indexes class_names",
        "seed": SEED,
    }
    lines = ",\n".join("  " + json.dumps(row) for row in rows)
    text = json.dumps(head, indent=1).removesuffix("\n}") + ',\n "boards": [\n' + lines + "\n ]\n}\n"
    path.write_text(text)


def write_index(rows: list[dict[str, object]], parts: tuple[str, ...], path: Path) -> None:
    """The boards of some parts in upstream's text form: a picture and its boxes a line."""
    lines = []
    for row in rows:
        if row["part"] in parts:
            boxes = row["boxes"]
            assert isinstance(boxes, list)
            lines.append(" ".join([str(row["file"]), *(",".join(map(str, box)) for box in boxes)]))
    path.write_text("".join(f"{line}\n" for line in lines))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, required=True, help="the PCBData folder of DeepPCB")
    parser.add_argument("--target", type=Path, default=HERE, help="folder that gets data/, the manifest, LICENSE")
    options = parser.parse_args()
    rows = write(choose(options.source), options.target / "data")
    write_manifest(rows, options.target / "manifest.json")
    write_index(rows, ("holdout",), options.target / "holdout.txt")
    write_index(rows, ("stream-1", "stream-2"), options.target / "stream.txt")
    shutil.copyfile(options.source.parent / "LICENSE", options.target / "LICENSE")
    size = sum(file.stat().st_size for file in (options.target / "data").iterdir())
    shipped = sum("file" in row for row in rows)
    print(f"{shipped} boards, {size} bytes; {len(rows) - shipped} more are named for the first model")


if __name__ == "__main__":
    main()
