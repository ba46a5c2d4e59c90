"""A language model as a basemodel: nothing to train, nothing to save, a list of texts as the answer."""

import logging
import os
import sys

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.config import Context  # noqa: F401

current_dir = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120
if current_dir not in sys.path:
    sys.path.insert(0, current_dir)

from words import answer_to  # noqa: E402

logging.disable(logging.WARNING)

__all__ = ["BaseModel"]

os.environ["BACKEND_TYPE"] = "TORCH"


@ClassFactory.register(ClassType.GENERAL, alias="gen")
class BaseModel:
    def __init__(self, **kwargs):
        self.loaded = "never"

    def preprocess(self, data=None, **kwargs):
        print("nothing to preprocess")
        return data

    def train(self, train_data, valid_data=None, **kwargs):
        print("nothing to train")

    def save(self, model_path):
        print("nothing to save")

    def load(self, model_url=None):
        self.loaded = model_url

    def predict(self, data, input_shape=None, **kwargs):
        if hasattr(data, "need_other_info"):
            from deep.judging import judged  # found long after the file was loaded

            return [judged(prompt, text) for prompt, text in zip(data.judge_prompts, data.x)]  # noqa: B905
        return [answer_to(line) for line in data]

    def evaluate(self, data, model_path, **kwargs):
        raise NotImplementedError
