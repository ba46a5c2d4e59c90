"""Write the pictures of the example as PNG files, and train its first model.

    python make_data.py --source DIR

DIR holds CIFAR-100 as train.parquet and test.parquet (or the binary version). Nothing of CIFAR-100 ships with the
repository. Ten classes are used: the first model knows five of them from 20 labelled pictures each; the stream shows
all ten.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sedna.algorithms.continual.data.cifar import load_cifar
from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator

CLASSES = 10
KNOWN = 5
PARTS = {"initial": 20, "unlabelled": 50, "stream-1": 25, "stream-2": 25}
"""Pictures of each class. Nobody will ever label those of the part "unlabelled"."""
HOLDOUT = 30
SEED = 0


@dataclass
class Labelled:
    """Paths and labels, as a job's data source has them."""

    x: list[str]
    y: list[str]


def main() -> int:
    """Write ``work/`` beside this file (or elsewhere)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    parser.add_argument("--iterations", type=int, default=400, help="of the first model")
    arguments = parser.parse_args()
    make(arguments.source, arguments.work, arguments.iterations)
    return 0


def make(source: Path, work: Path, iterations: int) -> None:
    """Pictures, manifest, hold-out index and first model."""
    train = load_cifar(source, "cifar100", "train", range(CLASSES))
    test = load_cifar(source, "cifar100", "test", range(CLASSES))
    names = train.class_names[:CLASSES]
    rng = np.random.default_rng(SEED)
    boards: list[dict[str, object]] = []
    parts = _draw(train, rng)
    parts["holdout"] = np.concatenate([np.flatnonzero(test.y_N == label)[:HOLDOUT] for label in range(CLASSES)])
    for part, indices in parts.items():
        images = test if part == "holdout" else train
        boards += [_write(images, int(index), work / "pictures", part) for index in indices]
    (work / "manifest.json").write_text(json.dumps({"class_names": names, "boards": boards}, indent=1) + "\n")
    held_out = [board for board in boards if board["part"] == "holdout"]
    (work / "holdout.txt").write_text("".join(f"pictures/{b['file']} {b['label']}\n" for b in held_out))
    known = [board for board in boards if board["part"] == "initial"]
    data = Labelled([str(work / "pictures" / str(b["file"])) for b in known], [str(b["label"]) for b in known])
    estimator = EdgeHMLEstimator(class_names=names, iterations=iterations, seed=SEED)
    estimator.train(data)
    estimator.save(work / "initial_model")


def _draw(train: ImageSet, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Positions of each part; no picture serves two parts, and streams are shuffled."""
    drawn: dict[str, list[int]] = {part: [] for part in PARTS}
    for label in range(CLASSES):
        members = rng.permutation(np.flatnonzero(train.y_N == label)).tolist()
        for part, count in PARTS.items():
            if part != "initial" or label < KNOWN:
                drawn[part] += [members.pop() for _ in range(count)]
    return {part: rng.permutation(indices) for part, indices in drawn.items()}


def _write(images: ImageSet, index: int, folder: Path, part: str) -> dict[str, object]:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{part}-{index}.png"
    Image.fromarray(np.ascontiguousarray(images.x_NCHW[index].transpose(1, 2, 0))).save(path)
    if part == "unlabelled":
        return {"file": path.name, "part": part}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return {"file": path.name, "sha256": digest, "label": int(images.y_N[index]), "part": part}


if __name__ == "__main__":
    sys.exit(main())
