"""A picture classifier for Sedna IL. It works as it is; put your own network where the softmax regression is.

Check it after every change:  sedna check-module THIS_FILE --data FOLDER   (a folder of pictures for each class)

What calls what:
    training worker   MyClassifier(**parameters), load(base model) if there is one, train(data), save(model_url)
    evaluation        MyClassifier(**parameters), load(model_url), evaluate(data)
    edge              MyClassifier(**parameters), load(model_url), predict(pictures)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.datasources import read_pictures

SIDE = 16
"""Pictures are looked at in this size, in pixels."""


@ClassFactory.register(ClassType.GENERAL, alias="MyClassifier")
class MyClassifier:
    """``trainSpec.algorithm: {name: MyClassifier, module: THIS_FILE, parameters: {...}}``; the arguments below are the
    parameters. They are stored with the model, and whoever opens it gives them again."""

    model_format = "npz"
    """Suffix of the file that `save` writes; without it the file is called .pkl."""

    predict_input = "arrays"
    """What `predict` gets on an edge: "arrays", or "paths" of PNG files."""

    def __init__(self, class_names: Sequence[str] = (), epochs: int = 200, learning_rate: float = 0.5) -> None:
        self.class_names = list(class_names)  # those of the job, given by whoever makes the class
        self.epochs = int(epochs)
        self.learning_rate = float(learning_rate)
        self.weights: Any = None  # (features, classes)

    def train(self, train_data: Any) -> dict[str, float]:
        """``train_data.x`` are file names, ``train_data.y`` labels as text. Goes on from a model that was loaded."""
        x_NF = np.stack([features(picture) for picture in read_pictures(train_data.x)])
        labels = np.array([int(label) for label in train_data.y])
        classes = max(len(self.class_names), int(labels.max()) + 1)
        if self.weights is None or self.weights.shape != (x_NF.shape[1], classes):
            self.weights = np.zeros((x_NF.shape[1], classes))
        wanted_NC = np.eye(classes)[labels]
        for _ in range(self.epochs):
            error_NC = softmax(x_NF @ self.weights) - wanted_NC
            self.weights -= self.learning_rate * x_NF.T @ error_NC / len(labels)
        return {"accuracy": float((softmax(x_NF @ self.weights).argmax(1) == labels).mean())}

    def save(self, model_url: str) -> str:
        """Write the model to ``model_url``, a file name. No pickle: edges must be able to trust it."""
        with Path(model_url).open("wb") as file:
            np.savez(file, weights=self.weights)
        return model_url

    def load(self, model_url: str) -> None:
        """Read what `save` has written."""
        with np.load(model_url, allow_pickle=False) as content:
            self.weights = content["weights"]

    def predict(self, data: Sequence[Any]) -> list[list[float]]:
        """Class probabilities for each picture; they sum up to 1.

        Args:
            data: pictures, RGB, uint8, shape (height, width, 3), of any size.
        """
        x_NF = np.stack([features(picture) for picture in data])
        probabilities: list[list[float]] = softmax(x_NF @ self.weights).tolist()
        return probabilities

    def evaluate(self, data: Any) -> dict[str, Any]:
        """Figures, and in ``per_sample`` a row for every sample: without it models cannot be compared.

        A right answer is ``tp`` of its class; a wrong one is ``fn`` of the true class and ``fp`` of the answered one.
        """
        answers = [int(np.argmax(row)) for row in self.predict(read_pictures(data.x))]
        labels = [int(label) for label in data.y]
        rows = []
        for path, answer, label in zip(data.x, answers, labels, strict=True):
            counts = {name: [0] * self.weights.shape[1] for name in ("tp", "fp", "fn")}
            if answer == label:
                counts["tp"][label] = 1
            else:
                counts["fn"][label] = 1
                counts["fp"][answer] = 1
            rows.append({"sample": Path(path).stem, **counts})
        right = sum(answer == label for answer, label in zip(answers, labels, strict=True))
        return {"accuracy": right / len(labels), "per_sample": rows}


def features(picture: Any) -> Any:
    """A picture as numbers around 0, shape (F,); the last one is constant."""
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.append(np.asarray(small, dtype=np.float64).reshape(-1) / 127.5 - 1.0, 1.0)


def softmax(scores_NC: Any) -> Any:
    """Scores as probabilities, by row."""
    shifted_NC = np.exp(scores_NC - scores_NC.max(axis=1, keepdims=True))
    return shifted_NC / shifted_NC.sum(axis=1, keepdims=True)
