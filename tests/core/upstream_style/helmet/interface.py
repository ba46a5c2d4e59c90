# ruff: noqa: PTH113, PTH123
"""A detector whose whole model is one box, behind the methods that upstream's detection example has."""

import json
import os

import numpy as np

os.environ["BACKEND_TYPE"] = "TENSORFLOW"


class Estimator:
    def __init__(self, **kwargs):
        self.box = None
        self.loaded_from = None

    def train(self, train_data, valid_data=None, epochs=1, batch_size=1, class_names="", input_shape="", **kwargs):
        rows = []
        for line in train_data.x:
            path, *boxes = line.split()
            assert os.path.isfile(path), path
            rows += [[float(value) for value in box.split(",")] for box in boxes]
        self.box = np.mean(np.array(rows)[:, :4], axis=0)
        assert int(epochs) == 3
        assert kwargs["obj_threshold"] == "0.3"
        return {"loss": np.float32(0.125)}

    def save(self, model_path=None):
        with open(model_path, "w") as file:
            json.dump({"box": self.box.tolist(), "score": 0.5}, file)

    def load(self, model_url):
        with open(model_url) as file:
            content = json.load(file)
        self.box, self.score = np.array(content["box"]), content["score"]
        self.loaded_from = model_url

    def evaluate(self, data, model_path=None, class_names=None, input_shape=None, **kwargs):
        if model_path:
            self.load(model_path)
        assert len(data.x) == 1
        assert input_shape == (352, 640)
        return {"recall": [self.score] * len(class_names), "precision": [1.0] * len(class_names)}

    def predict(self, data, input_shape=None, **kwargs):
        assert data.shape[2] == 3
        assert input_shape == (352, 640)
        return np.array([1]), np.array([self.score]), self.box[None]
