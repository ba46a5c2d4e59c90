# ruff: noqa: PTH103, PTH118, PTH119, PTH123
"""A detector whose one weight is how far it is off. Its outside is that of a detector for upstream: a zip of
checkpoint files, a session that cannot be pickled, flags read from the command line, pictures written beside."""

import argparse
import json
import logging
import os
import tempfile
import zipfile

import numpy as np

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.config import Context

# flag libraries read the command line when they are imported, and know no option but this one
flags = argparse.ArgumentParser()
flags.add_argument("-f", "--benchmarking_config_file")
FLAGS = flags.parse_args()

logging.disable(logging.WARNING)

__all__ = ["BaseModel"]

os.environ["BACKEND_TYPE"] = "TENSORFLOW"

CLASSES = ("Bad_podu", "Bad_qiaojiao")


@ClassFactory.register(ClassType.GENERAL, alias="FPN")
class BaseModel:
    def __init__(self, **kwargs):
        self.session = open(os.devnull)  # noqa: SIM115
        self.temp_dir = tempfile.mkdtemp()
        self.checkpoint_path = None
        os.environ["MODEL_NAME"] = "model.zip"
        self.rate = kwargs.get("learning_rate", 0.0001)
        self.momentum = kwargs.get("momentum", 0.9)

    def train(self, train_data, valid_data=None, **kwargs):
        if train_data is None or train_data.x is None or train_data.y is None:
            raise ValueError("nothing to train on")
        self.checkpoint_path = self.load(Context.get_parameters("base_model_url"))
        state = self._state()
        for _label_file in train_data.y:
            state["off"] *= 1 - self.rate * self.momentum
        self.checkpoint_path = os.path.join(self.temp_dir, "boards_model.ckpt")
        with open(self.checkpoint_path + ".data", "w") as file:
            json.dump(state, file)
        return self.checkpoint_path

    def save(self, model_path):
        if not model_path:
            raise ValueError("nowhere to save to")
        folder, name = os.path.split(self.checkpoint_path)
        if os.path.splitext(model_path)[-1] != ".zip":  # noqa: PTH122
            model_path = os.path.join(model_path, "model.zip")
        os.makedirs(os.path.dirname(model_path), exist_ok=True)  # noqa: PTH120
        with zipfile.ZipFile(model_path, "w") as archive:
            for entry in sorted(os.listdir(folder)):  # noqa: PTH208
                if name in entry:
                    archive.write(os.path.join(folder, entry), entry)
        return model_path

    def load(self, model_url=None):
        if not model_url:
            raise ValueError("nothing to load")
        folder = os.path.split(model_url)[0]
        with zipfile.ZipFile(model_url) as archive:
            archive.extractall(folder)
            first = archive.namelist()[0]
        self.checkpoint_path = os.path.join(folder, first[: first.find("ckpt") + 4])
        return self.checkpoint_path

    def predict(self, data, input_shape=None, **kwargs):
        if data is None:
            raise ValueError("nothing to predict")
        off = self._state()["off"]
        folder = os.getenv("RESULT_SAVED_URL")
        answers = {}
        for path in data:
            name = os.path.basename(path)
            with open(path) as file:
                seen = json.load(file)
            answers[name] = []
            for label in CLASSES:
                rows = [[value + off for value in box] + [score] for kind, box, score in seen if kind == label]
                answers[name].append({"name": label, "bbox": np.array(rows, np.float64).reshape(-1, 5)})
            if folder:
                os.makedirs(folder, exist_ok=True)
                with open(f"{folder}/{name}_fpn.jpg", "w") as file:
                    file.write(str(answers[name]))
        return answers

    def evaluate(self, data, model_path, **kwargs):
        if data is None or data.x is None or data.y is None:
            raise ValueError("nothing to judge by")
        self.load(model_path)
        name, function = kwargs.get("metric")
        if not callable(function):
            raise TypeError(f"{name} is no function")
        return {"f1_score": function(data.y, self.predict(data.x))}

    def _state(self):
        with open(self.checkpoint_path + ".data") as file:
            return json.load(file)
