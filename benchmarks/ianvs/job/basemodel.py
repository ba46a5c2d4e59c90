# ruff: noqa: ANN001, ANN201, ANN204, ARG002
"""The least that a basemodel can be; ``work`` seconds of processor time in training make it busy."""

import os
import time
from pathlib import Path

from sedna.common.class_factory import ClassFactory, ClassType

os.environ["BACKEND_TYPE"] = "NONE"
os.environ["MODEL_NAME"] = "model.txt"


@ClassFactory.register(ClassType.GENERAL, alias="Least")
class BaseModel:
    def __init__(self, work=0.0, case=0):
        self.work = float(work)
        self.trained = 0

    def train(self, train_data, valid_data=None):
        end = time.process_time() + self.work
        while time.process_time() < end:
            sum(range(10_000))
        self.trained += len(train_data)

    def save(self, model_path):
        Path(model_path).write_text(str(self.trained))

    def load(self, model_url):
        self.trained = int(Path(model_url).read_text())

    def predict(self, data):
        return {Path(path).name: [[0, 0, 1, 1, 0.5, 0]] for path in data}

    def evaluate(self, data, model_path, metric=None):
        self.load(model_path)
        return {"trained": self.trained}
