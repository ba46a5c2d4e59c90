"""A user's own algorithm: a board is crowded (1) or not (0), by how dark its picture is. Only numpy and pillow."""

import numpy as np
from PIL import Image

from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="DarkShare")
class DarkShare:
    def __init__(self, margin=0.0, class_names=()):
        self.margin = float(margin)
        self.border = 0.0

    def load(self, model_url):
        self.border = float(np.load(model_url)["border"])

    def save(self, model_path):
        np.savez(model_path, border=np.float64(self.border))
        return f"{model_path}.npz"

    def train(self, train_data, **kwargs):
        shares = np.array([dark_share(path) for path in train_data.x])
        crowded = np.array([int(label) == 1 for label in train_data.y])
        self.border = float((shares[~crowded].max() + shares[crowded].min()) / 2 + self.margin)
        return {"border": self.border}

    def evaluate(self, data, model_path=None, **kwargs):
        self.load(model_path)
        right = [int(dark_share(path) > self.border) == int(label) for path, label in zip(data.x, data.y, strict=True)]
        stems = [str(path).rpartition("/")[2].partition(".")[0] for path in data.x]
        rows = [{"sample": stem, "value": float(good)} for stem, good in zip(stems, right, strict=True)]
        return {"value": float(np.mean(right)), "per_sample": rows}


def dark_share(path):
    return float((np.asarray(Image.open(path).convert("L")) < 128).mean())
