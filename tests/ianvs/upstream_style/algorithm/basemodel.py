# ruff: noqa: PTH103, PTH110, PTH118, PTH119, PTH123
"""A basemodel as users of upstream write it: one threshold on one number a file."""

import json
import os

import numpy as np
from core.common.log import LOGGER
from reading import number_of

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.config import Context

__all__ = ["BaseModel"]

os.environ["BACKEND_TYPE"] = "NUMPY"


def trace(*words):
    path = os.environ.get("TRACE_FILE")
    if path:
        with open(path, "a") as file:
            file.write(" ".join(str(word) for word in words) + "\n")


@ClassFactory.register(ClassType.GENERAL, alias="Stump")
class BaseModel:
    def __init__(self, **kwargs):
        self.rate = float(kwargs.get("learning_rate", 1.0))
        self.start = float(kwargs.get("start", 0.9))
        self.threshold = self.start
        os.environ["MODEL_NAME"] = "model.json"
        trace("init", sorted(kwargs))

    def train(self, train_data, valid_data=None, **kwargs):
        base = Context.get_parameters("base_model_url")
        trace("train", len(train_data), valid_data, base, os.environ.get("MODEL_URL"), os.environ["LOCAL_TEST"])
        if base and os.path.exists(base):
            self.load(base)
        values = np.array([number_of(path) for path in train_data.x])
        labels = np.array([int(number_of(path)) for path in train_data.y])
        low, high = values[labels == 0].max(initial=0.0), values[labels == 1].min(initial=1.0)
        self.threshold += self.rate * ((low + high) / 2 - self.threshold)
        LOGGER.info("threshold %s", self.threshold)
        return {"threshold": self.threshold}

    def save(self, model_path):
        trace("save", os.path.basename(model_path), model_path.endswith("/"))
        if model_path.endswith("/"):
            os.makedirs(model_path)
            model_path = os.path.join(model_path, "model.json")
        with open(model_path, "w") as file:
            json.dump({"threshold": self.threshold}, file)
        return model_path

    def load(self, model_url=None):
        trace("load", model_url)
        with open(model_url) as file:
            self.threshold = json.load(file)["threshold"]

    def predict(self, data, input_shape=None, **kwargs):
        trace("predict", len(data), os.environ.get("RESULT_SAVED_URL"))
        result = {}
        for path in data:
            value = number_of(path)
            result[os.path.basename(path)] = [int(value > self.threshold), abs(value - self.threshold)]
        return result

    def evaluate(self, data, model_path, metric=None, **kwargs):
        name, function = metric
        trace("evaluate", len(data), model_path, name)
        self.load(model_path)
        return {name: function(data.y, self.predict(data.x))}
