# ruff: noqa: B905, PTH103, PTH123
"""A classifier by mean brightness, behind the methods that upstream's classification example has: no load."""

import os

import numpy as np

os.environ["BACKEND_TYPE"] = "MINDSPORE"


class Model:
    def __init__(self, base_model_url):
        with open(base_model_url) as file:
            self.threshold = float(file.read())

    def predict(self, image):
        bright = float(image.mean() > self.threshold)
        return [1 - bright, bright]


class Estimator:
    def __init__(self, **kwargs):
        self.trained_ckpt_url = None

    def train(self, train_data, base_model_url, trained_ckpt_url, valid_data=None, epochs=10, **kwargs):
        Model(base_model_url)
        x, y = train_data
        assert len(valid_data[0]) == 2
        means = np.array([image.mean() for image in x])
        self.trained_ckpt_url = trained_ckpt_url + "/best.ckpt"
        os.makedirs(trained_ckpt_url, exist_ok=True)
        with open(self.trained_ckpt_url, "w") as file:
            file.write(str((means[y == 0].max() + means[y == 1].min()) / 2))

    def evaluate(self, data, model_path="", class_name="", input_shape=(224, 224), **kwargs):
        model = Model(model_path)
        x, y = data
        return {"acc": float(np.mean([model.predict(image)[1] == label for image, label in zip(x, y)]))}

    def predict(self, data, model, input_shape=None, **kwargs):
        assert kwargs["class_names"] == "dog,croissant"
        return model.predict(data)

    def save(self, model_path=None):
        if not model_path:
            return
        with open(self.trained_ckpt_url) as source, open(model_path, "w") as target:
            target.write(source.read())
