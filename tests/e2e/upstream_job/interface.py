# ruff: noqa: PTH113, PTH123
"""A detector in the shape of upstream's examples; its whole model is how many boxes to expect."""

import json
import os

import numpy as np

os.environ["BACKEND_TYPE"] = "TENSORFLOW"


class Estimator:
    def __init__(self, **kwargs):
        self.expected = None

    def train(self, train_data, valid_data=None, epochs=1, **kwargs):
        self.expected = float(np.mean([len(line.split()) - 1 for line in train_data.x]))
        return {"loss": np.float32(0.5), "epochs": int(epochs)}

    def save(self, model_path=None):
        with open(model_path, "w") as file:
            json.dump({"expected": self.expected}, file)

    def load(self, model_url=None):
        with open(model_url) as file:
            self.expected = json.load(file)["expected"]

    def evaluate(self, data, model_path="", class_names=(), **kwargs):
        self.load(model_path)
        for line in data.x:
            assert os.path.isfile(line.split()[0]), line
        errors = [abs(len(line.split()) - 1 - self.expected) for line in data.x]
        return {"recall": [1 / (1 + float(np.mean(errors)))] * len(class_names), "samples": len(errors)}
