"""A detector for Sedna IL. It works as it is, on plain parts; put your own network where the look at cells is.

Check it after every change:  sedna check-module THIS_FILE --data FOLDER   (pictures with labels: YOLO, COCO, VOC, txt)

What calls what:
    training worker   MyDetector(**parameters), load(base model) if there is one, train(data), save(model_url)
    evaluation        MyDetector(**parameters), load(model_url), evaluate(data)
    edge              MyDetector(**parameters), load(model_url), predict(pictures)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.datasources import read_pictures

CELL = 8
"""A picture is looked at in squares of so many pixels."""


@ClassFactory.register(ClassType.GENERAL, alias="MyDetector")
class MyDetector:
    """``trainSpec.algorithm: {name: MyDetector, module: THIS_FILE, parameters: {...}}``; the arguments below are the
    parameters. They are stored with the model, and whoever opens it gives them again."""

    model_format = "npz"
    """Suffix of the file that `save` writes; without it the file is called .pkl."""

    predict_input = "arrays"
    """What `predict` gets on an edge: "arrays", or "paths" of PNG files."""

    def __init__(self, class_names: Sequence[str] = (), epochs: int = 300, learning_rate: float = 1.0) -> None:
        self.class_names = list(class_names)  # those of the job, given by whoever makes the class
        self.epochs = int(epochs)
        self.learning_rate = float(learning_rate)
        self.weights: Any = None  # (features, 1 + classes): class 0 is background here

    def train(self, train_data: Any) -> dict[str, float]:
        """``train_data.x`` are file names, ``train_data.y`` texts ``x1,y1,x2,y2,label ...`` in pixels, empty where
        nothing is there. Goes on from a model that was loaded."""
        pictures, boxes = read_pictures(train_data.x), [read_boxes(text) for text in train_data.y]
        labels = [box[4] for found in boxes for box in found]
        classes = max([len(self.class_names), *(label + 1 for label in labels)])
        cells = [cells_of(picture) for picture in pictures]
        x_NF = np.concatenate([cell.reshape(-1, cell.shape[2]) for cell in cells])
        pairs = zip(cells, boxes, strict=True)
        wanted = np.concatenate([wanted_of(cell.shape[:2], found).reshape(-1) for cell, found in pairs])
        if self.weights is None or self.weights.shape != (x_NF.shape[1], 1 + classes):
            self.weights = np.zeros((x_NF.shape[1], 1 + classes))
        # Each class counts alike, however few of the cells it has.
        weight_N = 1.0 / np.bincount(wanted, minlength=1 + classes)[wanted]
        weight_N /= weight_N.sum()
        for _ in range(self.epochs):
            error_NC = softmax(x_NF @ self.weights) - np.eye(1 + classes)[wanted]
            self.weights -= self.learning_rate * x_NF.T @ (error_NC * weight_N[:, None])
        return {"cells_right": float((softmax(x_NF @ self.weights).argmax(1) == wanted).mean())}

    def save(self, model_url: str) -> str:
        """Write the model to ``model_url``, a file name. No pickle: edges must be able to trust it."""
        with Path(model_url).open("wb") as file:
            np.savez(file, weights=self.weights)
        return model_url

    def load(self, model_url: str) -> None:
        """Read what `save` has written."""
        with np.load(model_url, allow_pickle=False) as content:
            self.weights = content["weights"]

    def predict(self, data: Sequence[Any]) -> list[list[list[float]]]:
        """Boxes ``[x1, y1, x2, y2, score, label]`` for each picture, in its pixels; none: an empty list.

        Args:
            data: pictures, RGB, uint8, shape (height, width, 3), of any size.
        """
        return [self._boxes(picture) for picture in data]

    def evaluate(self, data: Any) -> dict[str, Any]:
        """Figures, and in ``per_sample`` a row for every sample: without it models cannot be compared.

        ``tp``, ``fp`` and ``fn`` have one number a class: boxes that were found, are too many, and were missed.
        """
        classes = self.weights.shape[1] - 1
        rows: list[dict[str, Any]] = []
        for path, found, text in zip(data.x, self.predict(read_pictures(data.x)), data.y, strict=True):
            rows.append({"sample": Path(path).stem, **matched(found, read_boxes(text), classes)})
        tp, fp, fn = (sum(sum(row[name]) for row in rows) for name in ("tp", "fp", "fn"))
        return {"f1": 2 * tp / max(1, 2 * tp + fp + fn), "per_sample": rows}

    def _boxes(self, picture: Any) -> list[list[float]]:
        height, width = picture.shape[:2]
        scores_RCK = softmax(cells_of(picture) @ self.weights)
        best = scores_RCK.argmax(axis=2)
        boxes = []
        for group in groups(best):
            rows, columns = [row for row, _ in group], [column for _, column in group]
            label = int(best[group[0]])
            score = float(np.mean([scores_RCK[cell][label] for cell in group]))
            x1, x2 = min(columns) * CELL, min((max(columns) + 1) * CELL, width)
            y1, y2 = min(rows) * CELL, min((max(rows) + 1) * CELL, height)
            boxes.append([float(x1), float(y1), float(x2), float(y2), score, float(label - 1)])
        return boxes


def cells_of(picture: Any) -> Any:
    """Mean and spread of the colours of each cell beside the picture's median, shape (rows, columns, F)."""
    height, width = picture.shape[:2]
    rows, columns = max(1, -(-height // CELL)), max(1, -(-width // CELL))
    padded = np.pad(picture, ((0, rows * CELL - height), (0, columns * CELL - width), (0, 0)), mode="edge")
    squares = padded.reshape(rows, CELL, columns, CELL, 3).astype(np.float64) / 255.0
    means, spreads = squares.mean(axis=(1, 3)), squares.std(axis=(1, 3))
    difference = means - np.median(means.reshape(-1, 3), axis=0)
    parts = [difference, np.abs(difference), spreads, np.ones((rows, columns, 1))]
    return np.concatenate(parts, axis=2) * np.array([4.0] * 9 + [1.0])


def wanted_of(shape: tuple[int, int], boxes: Sequence[tuple[float, float, float, float, int]]) -> Any:
    """The class of each cell: 0 is background, a cell whose middle lies in a box has the label of the box plus 1."""
    wanted = np.zeros(shape, dtype=np.int64)
    y, x = ((np.arange(count) + 0.5) * CELL for count in shape)
    for x1, y1, x2, y2, label in boxes:
        wanted[np.ix_((y >= y1) & (y < y2), (x >= x1) & (x < x2))] = label + 1
    return wanted


def groups(classes: Any) -> list[list[tuple[int, int]]]:
    """Cells of one class, not background, that touch each other."""
    left = {(int(row), int(column)) for row, column in zip(*np.nonzero(classes), strict=True)}
    found = []
    while left:
        group = [left.pop()]
        for row, column in group:
            for near in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if near in left and classes[near] == classes[group[0]]:
                    left.remove(near)
                    group.append(near)
        found.append(group)
    return found


def read_boxes(text: str) -> list[tuple[float, float, float, float, int]]:
    """Boxes of a label text ``x1,y1,x2,y2,label ...``."""
    rows = [box.split(",") for box in str(text).split()]
    return [(float(x1), float(y1), float(x2), float(y2), int(label)) for x1, y1, x2, y2, label in rows]


def matched(found: Sequence[Sequence[float]], true: Sequence[Sequence[float]], classes: int) -> dict[str, list[int]]:
    """Counts of one picture: the surest box first, each true box once, from an overlap of one half."""
    counts = {name: [0] * classes for name in ("tp", "fp", "fn")}
    left = list(true)
    for box in sorted(found, key=lambda box: -box[4]):
        label = int(box[5])
        same = [other for other in left if int(other[4]) == label and overlap(box, other) >= 0.5]
        counts["tp" if same else "fp"][label] += 1
        if same:
            left.remove(max(same, key=lambda other: overlap(box, other)))
    for other in left:
        counts["fn"][int(other[4])] += 1
    return counts


def overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (areas - shared)


def softmax(scores: Any) -> Any:
    """Scores as probabilities along the last axis."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)
