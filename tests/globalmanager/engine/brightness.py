"""A user's algorithm: an image is bright (1) or dark (0). Learns where the border between the two is."""

import numpy as np
from PIL import Image

from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="Brightness")
class Brightness:
    def __init__(self, margin="0", class_names=()):
        self.margin = float(margin)
        self.class_names = list(class_names)
        self.border = None

    def load(self, model_url):
        with np.load(model_url) as content:
            self.border = float(content["border"])

    def save(self, model_path):
        np.savez(model_path, border=np.float64(self.border))
        return model_path if str(model_path).endswith(".npz") else f"{model_path}.npz"

    def train(self, train_data, **kwargs):
        levels = np.array([level(path) for path in train_data.x])
        labels = np.array([int(label) for label in train_data.y])
        self.border = float((levels[labels == 0].max() + levels[labels == 1].min()) / 2 + self.margin)
        return {"border": self.border}

    def predict(self, data, **kwargs):
        return [int(level(path) > self.border) for path in data]

    def evaluate(self, data, model_path=None, **kwargs):
        self.load(model_path)
        rows = []
        for path, truth, answer in zip(data.x, data.y, self.predict(data.x), strict=True):
            truth = int(truth)
            counts = {"tp": [0, 0], "fp": [0, 0], "fn": [0, 0]}
            if answer == truth:
                counts["tp"][truth] = 1
            else:
                counts["fn"][truth] = counts["fp"][answer] = 1
            rows.append({"sample": str(path).rpartition("/")[2].partition(".")[0], **counts})
        right = sum(sum(row["tp"]) for row in rows)
        return {"accuracy": np.float32(right / len(rows)), "per_sample": rows}


def level(path):
    return float(np.asarray(Image.open(path).convert("L")).mean())
