"""Write DeepPCB in the file layout of Ianvs' PCB example: an index, JPEGImages, and Pascal VOC Annotations.

    python make_dataset.py                              # the boards shipped with example 01
    python make_dataset.py --source DeepPCB/PCBData     # the full set, by its own split lists

Either way the boards come in a fixed order: the stream of the example first to last; of the full set by split list.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from sedna.common.types import Annotation, Box
from sedna.labels.labelset import LabelledImage, LabelSet
from sedna.labels.voc import write_voc

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "01_pcb_inspection"
CLASSES = ("open", "short", "mousebite", "spur", "copper", "pin-hole")

Board = tuple[Path, Sequence[Sequence[int]]]
"""Image, and rows x1, y1, x2, y2, label."""


def example_boards(parts: Sequence[str]) -> Iterator[Board]:
    """Boards of the example's manifest, part by part."""
    manifest = json.loads((EXAMPLE / "manifest.json").read_text())
    for part in parts:
        for board in manifest["boards"]:
            if board["part"] == part:
                yield EXAMPLE / board["file"], board["boxes"]


def full_boards(source: Path, split: str) -> Iterator[Board]:
    """Boards of one of DeepPCB's split lists."""
    for line in (source / split).read_text().splitlines():
        image, truth = line.split()
        rows = [
            [int(value) for value in row.split()] for row in (source / truth).read_text().splitlines() if row.strip()
        ]
        yield source / image.replace(".jpg", "_test.jpg"), [[*row[:4], row[4] - 1] for row in rows]


def write(boards: Iterator[Board], folder: Path) -> int:
    """Images, annotations and index of one part; the number of boards."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir(parents=True)
    items = []
    for image, rows in boards:
        shutil.copy(image, folder / "JPEGImages" / image.name)
        with Image.open(image) as opened:
            width, height = opened.size
        boxes = tuple(Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label) for x1, y1, x2, y2, label in rows)
        items.append(
            LabelledImage(file_name=image.name, width=width, height=height, annotation=Annotation(boxes=boxes))
        )
    for name, content in write_voc(LabelSet(class_names=CLASSES, items=tuple(items))):
        (folder / "Annotations" / name).write_bytes(content)
    lines = [f"./JPEGImages/{item.file_name} ./Annotations/{Path(item.file_name).stem}.xml\n" for item in items]
    (folder / "index.txt").write_text("".join(lines))
    return len(items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="PCBData of DeepPCB; default: the boards of example 01")
    parser.add_argument("--target", type=Path, default=HERE / "dataset")
    options = parser.parse_args()
    if options.source is None:
        parts = {"train_data": example_boards(("stream-1", "stream-2")), "test_data": example_boards(("holdout",))}
    else:
        parts = {
            "train_data": full_boards(options.source, "trainval.txt"),
            "test_data": full_boards(options.source, "test.txt"),
        }
    for name, boards in parts.items():
        print(f"{options.target / name}: {write(boards, options.target / name)} boards")


if __name__ == "__main__":
    main()
