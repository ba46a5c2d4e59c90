"""Train the first model of the demo: real, but weak on purpose.

    python make_initial_model.py --source DeepPCB/PCBData

It learns from crops of the boards that the manifest names for it, which serve nothing else and come from three of
eleven groups. Only crops without a spur, copper or pin-hole count, but for FEW boxes of each of these: it knows three
classes on three products, three classes hardly, and eight products not at all. That is a factory's first month.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from make_subset import CLASS_NAMES, HERE, SEED, THRESHOLD, read_boards
from PIL import Image

from sedna.algorithms.detection import BaseModel, TrainingProgress
from sedna.common.atomic import sha256_file

CROP = 256  # pixels
MIN_VISIBLE = 0.6  # a crop that cuts a box below this share of its area is left out
RARE = (3, 4, 5)
FEW = 6  # boxes of each rare class

PARAMETERS: dict[str, Any] = {
    "class_names": CLASS_NAMES,
    "input_channels": 1,
    "fpn_channels": 48,
    "input_size": 640,
    "max_iteration": 2400,
    "batch_size": 12,
    "crop_size": 224,
    "learning_rate": 0.002,
    "class_balance": False,
    "seed": SEED,
    "bf16": "on",
    "score_threshold": 0.4,
}


@dataclass
class Memory:
    """A data source in memory: pictures and boxes x1, y1, x2, y2, label."""

    x: list[Any] = field(default_factory=list)
    y: list[npt.NDArray[np.float32]] = field(default_factory=list)


def read_manifest() -> list[dict[str, Any]]:
    """The rows of manifest.json."""
    rows: list[dict[str, Any]] = json.loads((HERE / "manifest.json").read_text())["boards"]
    return rows


def crops(source: Path, rows: list[dict[str, Any]]) -> Memory:
    """Crops around every box of the first model's boards, as far as the rules of the module's text let them in."""
    wanted = {row["source"] for row in rows if row["part"] == "initial"}
    groups = sorted({row["group"] for row in rows if row["part"] == "initial"})
    boards = [board for group in groups for board in read_boards(source, group) if board.source in wanted]
    rng = np.random.default_rng(SEED)
    left = dict.fromkeys(RARE, FEW)
    memory = Memory()
    for board in boards:
        with Image.open(board.picture) as image:
            pixels = np.where(np.asarray(image.convert("L")) >= THRESHOLD, 255, 0).astype(np.uint8)
        boxes = np.asarray(board.boxes, dtype=np.float32)
        for box in boxes:
            start = (box[:2] + box[2:4]) / 2 - rng.uniform(0.3, 0.7, 2) * CROP
            x, y = np.clip(start, 0, np.asarray(pixels.shape[::-1]) - CROP).astype(int)
            inside = cut(boxes, x, y)
            if inside is not None and allowed(inside, left):
                memory.x.append(pixels[y : y + CROP, x : x + CROP])
                memory.y.append(inside)
    return memory


def cut(boxes: npt.NDArray[np.float32], x: int, y: int) -> npt.NDArray[np.float32] | None:
    """The boxes of a crop; None if it cuts one so far that neither "there" nor "not there" would be true."""
    moved = boxes - np.asarray([x, y, x, y, 0], dtype=np.float32)
    clipped = moved.copy()
    clipped[:, :4] = clipped[:, :4].clip(0, CROP)
    visible = (clipped[:, 2:4] - clipped[:, :2]).prod(1) / (moved[:, 2:4] - moved[:, :2]).prod(1)
    if np.any((visible > 0) & (visible < MIN_VISIBLE)):
        return None
    return clipped[visible > 0]


def allowed(boxes: npt.NDArray[np.float32], left: dict[int, int]) -> bool:
    """Whether the rare boxes of a crop are still wanted; if so they are counted."""
    rare = Counter(int(label) for label in boxes[:, 4] if int(label) in RARE)
    if any(count > left[label] for label, count in rare.items()):
        return False
    for label, count in rare.items():
        left[label] -= count
    return True


def holdout(rows: list[dict[str, Any]]) -> Memory:
    """The frozen hold-out."""
    mine = [row for row in rows if row["part"] == "holdout"]
    return Memory([HERE / row["file"] for row in mine], [np.asarray(row["boxes"], dtype=np.float32) for row in mine])


def report(progress: TrainingProgress) -> None:
    """A line every hundred steps, and for events."""
    if progress.note or progress.iteration % 100 == 0:
        print(
            f"step {progress.iteration}, loss {progress.loss:.3f}, {progress.eta_seconds:.0f} s left {progress.note}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--source", type=Path, required=True, help="the PCBData folder of DeepPCB")
    parser.add_argument("--target", type=Path, default=HERE / "initial_model")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    rows = read_manifest()
    data = crops(options.source, rows)
    seen = Counter(int(label) for boxes in data.y for label in boxes[:, 4])
    print(f"{len(data.x)} crops, boxes: {', '.join(f'{CLASS_NAMES[k]} {n}' for k, n in sorted(seen.items()))}")

    model = BaseModel(**PARAMETERS, threads=options.threads)
    result = model.train(data, progress=report)
    weights, graph = options.target / "model.safetensors", options.target / "model.onnx"
    model.save(weights, half=True)
    model.load(weights)  # the figures and the ONNX form are those of the shipped, rounded weights
    model.export_onnx(graph)
    figures = model.evaluate(holdout(rows))
    about = {
        "command": f"python make_initial_model.py --source DeepPCB/PCBData --threads {options.threads}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": {"torch": torch.__version__, "onnxruntime": onnxruntime.__version__},
        "parameters": PARAMETERS,
        "crops": len(data.x),
        "boxes": {CLASS_NAMES[label]: count for label, count in sorted(seen.items())},
        "seconds": round(result["seconds"], 1),
        "holdout": {
            key: np.round(figures[key], 4).tolist()
            for key in ("f1_macro", "f1_micro", "map", "map50", "precision", "recall", "f1")
        },
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for path in (weights, graph)},
    }
    (options.target / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(about["holdout"], indent=1))


if __name__ == "__main__":
    main()
