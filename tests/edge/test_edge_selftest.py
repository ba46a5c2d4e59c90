import json

import pytest

from edge.edge_twins import make_classifier, manifest_of, png
from sedna.common.errors import ModelError
from sedna.common.types import Box, Prediction
from sedna.edge.selftest import GoldenSample, SelfTest, check_prediction, run_self_test


def box(x1: float = 10, label: int = 0, score: float = 0.9) -> Box:
    return Box(x1=x1, y1=10, x2=x1 + 20, y2=30, label=label, score=score)


class Answers:
    def __init__(self, *predictions: Prediction):
        self.predictions = list(predictions)

    def predict(self, images):
        return self.predictions

    def close(self):
        pass


def model(tmp_path, expected: Prediction, **limits):
    folder = tmp_path / "model"
    make_classifier(folder, 1)
    (folder / "golden.png").write_bytes(png())
    test = SelfTest(samples=(GoldenSample(image="golden.png", prediction=expected),), **limits)
    (folder / "selftest.json").write_text(test.model_dump_json())
    return folder


TWO = Prediction(boxes=(box(10), box(50, label=1)))


@pytest.mark.parametrize(
    "found",
    [
        TWO,
        Prediction(boxes=tuple(reversed(TWO.boxes))),
        Prediction(boxes=(box(10.5, score=0.87), box(49.5, label=1))),
    ],
    ids=["same", "order", "rounding"],
)
def test_the_same_boxes_but_for_rounding_pass(tmp_path, found):
    folder = model(tmp_path, TWO)
    run_self_test(Answers(found), folder, manifest_of(folder, 1))


@pytest.mark.parametrize(
    "found",
    [
        Prediction(),
        Prediction(boxes=(box(10), box(10, label=1))),
        Prediction(boxes=(box(10), box(50, label=0))),
        Prediction(boxes=(box(10, score=0.5), box(50, label=1))),
        Prediction(boxes=(box(10), box(10))),
        Prediction(probabilities=(1.0, *[0.0] * 31), label=0),
    ],
    ids=["none", "place", "label", "score", "twice", "kind"],
)
def test_other_boxes_fail(tmp_path, found):
    folder = model(tmp_path, TWO)
    with pytest.raises(ModelError, match=r"answers golden\.png differently"):
        run_self_test(Answers(found), folder, manifest_of(folder, 1))


def test_the_limits_are_the_models_own(tmp_path):
    folder = model(tmp_path, TWO, score_tolerance=0.5, iou=0.3)
    loose = Prediction(boxes=(box(16, score=0.5), box(56, label=1, score=0.5)))
    run_self_test(Answers(loose), folder, manifest_of(folder, 1))


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("selftest.json", b"{", "cannot be read"),
        ("selftest.json", b'{"samples": []}', "cannot be read"),
        ("selftest.json", json.dumps({"samples": [{"image": "../x", "prediction": {}}]}).encode(), "no file of the"),
        ("golden.png", b"nope", "golden sample golden.png"),
    ],
)
def test_a_self_test_that_cannot_be_made_fails_the_model(tmp_path, name, content, text):
    folder = model(tmp_path, TWO)
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=text):
        run_self_test(Answers(TWO), folder, manifest_of(folder, 1))


def test_one_image_has_one_answer(tmp_path):
    folder = tmp_path / "model"
    manifest = make_classifier(folder, 1)
    with pytest.raises(ModelError, match="2 predictions for one image"):
        run_self_test(Answers(TWO, TWO), folder, manifest)


def test_labels_and_probabilities_must_fit_the_classes():
    check_prediction(TWO, 2)
    check_prediction(TWO, 0)
    with pytest.raises(ModelError, match="label 1, but has 1 classes"):
        check_prediction(TWO, 1)
    with pytest.raises(ModelError, match="2 probabilities, but has 3 classes"):
        check_prediction(Prediction(probabilities=(0.5, 0.5), label=0), 3)
