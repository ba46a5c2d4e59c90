"""A classifier in the shape of upstream's examples: one class with train, save, load, predict and evaluate."""

import json
import os
from pathlib import Path

import numpy as np
from parts import CLASSES, features
from PIL import Image

from sedna.common.pictures import read_pixels

os.environ.setdefault("BACKEND_TYPE", "NUMPY")  # no framework: the class is used as it is


def read(lines):
    """Features (n, 10) and labels (n,) of lines ``picture label``."""
    rows, labels = [], []
    for line in lines:
        path, _, label = line.rpartition(" ")
        rows.append(features(np.asarray(Image.fromarray(read_pixels(path)).convert("L"))))
        labels.append(int(label))
    return np.array(rows), np.array(labels)


class Estimator:
    """Softmax regression on ten features, trained by gradient descent from the weights of the model before."""

    def __init__(self, **kwargs):
        self.weights = None
        self.mean, self.scale = np.zeros(10), np.ones(10)

    def train(self, train_data, valid_data=None, epochs=400, learning_rate=0.5, **kwargs):
        inputs, labels = read(train_data.x)
        self.mean, self.scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
        x = self._with_bias(self._expanded(inputs))
        wanted = np.eye(len(CLASSES))[labels]
        self.weights = np.zeros((x.shape[1], len(CLASSES)))
        for _ in range(int(epochs)):
            probabilities = self._softmax(x @ self.weights)
            self.weights -= float(learning_rate) * (x.T @ (probabilities - wanted) / len(x) + 1e-4 * self.weights)
        loss = -np.log(self._softmax(x @ self.weights)[np.arange(len(x)), labels] + 1e-12).mean()
        return {"loss": float(loss), "samples": len(x)}

    def save(self, model_path=None):
        state = {"weights": self.weights.tolist(), "mean": self.mean.tolist(), "scale": self.scale.tolist()}
        Path(model_path).write_text(json.dumps(state))

    def load(self, model_url=None):
        state = json.loads(Path(model_url).read_text())
        self.weights, self.mean, self.scale = (np.array(state[name]) for name in ("weights", "mean", "scale"))

    def predict(self, data, **kwargs):
        """Probabilities (n, 3) of pictures (n, 32, 32)."""
        inputs = np.array([features(picture) for picture in data])
        return self._softmax(self._with_bias(self._expanded(inputs)) @ self.weights)

    def evaluate(self, data, model_path="", **kwargs):
        self.load(model_path)
        inputs, labels = read(data.x)
        found = self._softmax(self._with_bias(self._expanded(inputs)) @ self.weights).argmax(axis=1)
        recall = [
            float((found[labels == label] == label).mean()) if (labels == label).any() else 0.0 for label in range(3)
        ]
        return {"recall": recall, "accuracy": [float((found == labels).mean())]}

    def _expanded(self, inputs):
        """Features and their products: a mark may be brighter or darker than the part."""
        z = (inputs - self.mean) / self.scale
        products = z[:, :, None] * z[:, None, :]
        upper = np.triu_indices(z.shape[1])
        return np.concatenate([z, products[:, upper[0], upper[1]]], axis=1)

    @staticmethod
    def _with_bias(x):
        return np.concatenate([x, np.ones((len(x), 1))], axis=1)

    @staticmethod
    def _softmax(logits):
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)
