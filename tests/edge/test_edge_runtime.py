"""Ways to run a model, and what counts as an answer."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edge.edge_twins import make_classifier, manifest_of
from sedna.algorithms.detection.onnx_runtime import OnnxDetector
from sedna.common.class_factory import ClassFactory, ClassType, UnknownClassError
from sedna.common.errors import ModelError, SpecError
from sedna.common.types import Prediction
from sedna.edge.image import decode_image
from sedna.edge.runtime import open_runtime
from sedna.edge.runtime.base import classification, detection, prediction_of
from sedna.edge.runtime.onnx import CLASSIFIER_KEY, ClassifierSpec

BLACK = np.zeros((8, 8, 3), np.uint8)


@ClassFactory.register(ClassType.GENERAL, alias="EdgeTestEstimator")
class Estimator:
    """Says how it was loaded; answers what the model file holds."""

    def load(self, model_url):
        self.url = Path(model_url)
        self.answer = eval((self.url if self.url.is_file() else self.url / "weights.txt").read_text())

    def predict(self, data):
        assert all(image.shape == (8, 8, 3) for image in data)
        return [self.answer for _ in data]


@ClassFactory.register(ClassType.GENERAL, alias="EdgeTestConfigured")
class Configured(Estimator):
    """As a user's class with parameters: without them it cannot be made."""

    def __init__(self, scale, class_names=()):
        self.scale, self.class_names = scale, class_names

    def predict(self, data):
        assert list(self.class_names) == ["low", "high"]
        return [[1 - self.scale, self.scale] for _ in data]


def estimator(folder: Path, answer: str, *more: str, **changes):
    folder.mkdir()
    (folder / "weights.txt").write_text(answer)
    for name in more:
        (folder / name).write_text("more")
    manifest = manifest_of(folder, 1, **{"algorithm": "EdgeTestEstimator", "runtime": "python", **changes})
    return open_runtime(folder, manifest)


def graph_model(path: Path, input_type, shape, nodes, outputs, metadata=None, inputs=1) -> None:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(f"x{number}", input_type, shape) for number in range(inputs)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, outputs)],
        [numpy_helper.from_array(np.array([1, 2], np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    for key, value in (metadata or {}).items():
        model.metadata_props.add(key=key, value=value)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())


def channel_means(folder: Path, input_type, shape, metadata=None):
    """A model whose three outputs are the mean of each channel, whatever it is fed: shows how an image gets in."""
    axes = (2, 3) if shape[1] == 3 else (1, 2)
    nodes = [
        helper.make_node("Cast", ["x0"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["y"], axes=list(axes), keepdims=0),
    ]
    graph_model(folder / "model.onnx", input_type, shape, nodes, [1, 3], metadata)
    return open_runtime(folder, manifest_of(folder, 1, class_names=("r", "g", "b")))


def test_a_classifier_gets_the_image_scaled_and_in_its_size(tmp_path):
    runtime = channel_means(tmp_path / "m", TensorProto.FLOAT, [1, 3, 4, 6])
    image = np.zeros((50, 70, 3), np.uint8)
    image[:, :, 0], image[:, :, 2] = 51, 204
    (prediction,) = runtime.predict([image])
    assert prediction.probabilities == pytest.approx((0.2, 0.0, 0.8))
    assert prediction.label == 2


@pytest.mark.parametrize("shape", [["batch", 3, "height", "width"], ["batch", "height", "width", 3]])
def test_free_sizes_and_both_layouts(tmp_path, shape):
    runtime = channel_means(tmp_path / "m", TensorProto.FLOAT, shape)
    image = np.zeros((5, 7, 3), np.uint8)
    image[:, :, 1] = 255
    assert runtime.predict([image, image])[1].label == 1


def test_a_model_may_say_how_it_wants_its_input(tmp_path):
    spec = ClassifierSpec(mean=(0.5, 0.0, 0.0), std=(1.0, 2.0, 1.0), channels="BGR", output="logits")
    metadata = {CLASSIFIER_KEY: spec.model_dump_json()}
    runtime = channel_means(tmp_path / "m", TensorProto.FLOAT, [1, 3, 4, 4], metadata)
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, :, 1], image[:, :, 2] = 255, 255
    expected = np.exp([0.5, 0.5, 0.0])
    (prediction,) = runtime.predict([image])
    assert prediction.probabilities == pytest.approx(tuple(expected / expected.sum()))


def test_uint8_input_gets_the_pixels_as_they_are(tmp_path):
    metadata = {CLASSIFIER_KEY: '{"output": "logits"}'}
    runtime = channel_means(tmp_path / "m", TensorProto.UINT8, [1, 4, 4, 3], metadata)
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, :, 0] = 2
    expected = np.exp([2.0, 0.0, 0.0])
    assert runtime.predict([image])[0].probabilities == pytest.approx(tuple(expected / expected.sum()))


def test_logits_that_were_not_announced_are_an_error(tmp_path):
    runtime = channel_means(tmp_path / "m", TensorProto.UINT8, [1, 4, 4, 3])
    with pytest.raises(ModelError):
        runtime.predict([np.full((4, 4, 3), 9, np.uint8)])


@pytest.mark.parametrize(
    ("input_type", "shape", "inputs", "text"),
    [
        (TensorProto.FLOAT, [1, 3], 1, "NCHW or NHWC"),
        (TensorProto.FLOAT, [1, 4, 8, 8], 1, "NCHW or NHWC"),
        (TensorProto.INT64, [1, 3, 8, 8], 1, "tensor\\(int64\\)"),
        (TensorProto.FLOAT, [1, 3, 8, 8], 2, "NCHW or NHWC"),
    ],
)
def test_graphs_that_are_no_image_classifiers(tmp_path, input_type, shape, inputs, text):
    nodes = [helper.make_node("Cast", ["x0"], ["y"], to=TensorProto.FLOAT)]
    graph_model(tmp_path / "m" / "model.onnx", input_type, shape, nodes, shape, inputs=inputs)
    with pytest.raises(ModelError, match=text):
        open_runtime(tmp_path / "m", manifest_of(tmp_path / "m", 1))


def test_metadata_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelError, match=r"invalid sedna\.classifier metadata"):
        channel_means(tmp_path / "m", TensorProto.FLOAT, [1, 3, 4, 4], {CLASSIFIER_KEY: "{"})


@pytest.mark.parametrize("count", [0, 2])
def test_an_onnx_model_has_exactly_one_graph(tmp_path, count):
    folder = tmp_path / "m"
    make_classifier(folder, 1)
    (folder / "model.onnx").rename(folder / ("other.onnx" if count else "model.bin"))
    if count:
        (folder / "second.onnx").write_bytes((folder / "other.onnx").read_bytes())
    with pytest.raises(ModelError, match=f"{count} .onnx files"):
        open_runtime(folder, manifest_of(folder, 1))


def test_this_projects_detector_on_a_real_board(tmp_path):
    example = Path(__file__).parents[2] / "examples" / "01_pcb_inspection"
    graph, boards = example / "initial_model" / "model.onnx", sorted((example / "data").glob("*.png"))
    if not graph.exists() or not boards:
        pytest.skip(f"the demo's model and boards are not in {example}")
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(graph.read_bytes())
    names = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
    runtime = open_runtime(folder, manifest_of(folder, 1, algorithm="FPN", class_names=names))
    images = [decode_image(board.read_bytes(), max_pixels=10**7).pixels for board in boards[:4]]
    predictions = runtime.predict(images)
    assert predictions == [detection(rows) for rows in OnnxDetector(graph).predict(images)]
    assert any(prediction.boxes for prediction in predictions)
    assert all(box.label < len(names) and box.x2 <= 640 for one in predictions for box in one.boxes)
    runtime.close()


def test_an_estimator_gets_its_only_file_or_its_folder(tmp_path):
    one = estimator(tmp_path / "one", "[0.25, 0.75]")
    assert one._estimator.url == tmp_path / "one" / "weights.txt"
    two = estimator(tmp_path / "two", "[0.25, 0.75]", "labels.txt")
    assert two._estimator.url == tmp_path / "two"
    assert one.predict([BLACK, BLACK]) == [Prediction(probabilities=(0.25, 0.75), label=1)] * 2


def test_an_estimator_may_answer_boxes(tmp_path):
    runtime = estimator(tmp_path / "m", "[[1, 2, 3, 4, 0.5, 7], [5, 5, 5, 9, 0.5, 0]]")
    (prediction,) = runtime.predict([BLACK])
    assert [(box.x1, box.y2, box.score, box.label) for box in prediction.boxes] == [(1, 4, 0.5, 7)]


@pytest.mark.parametrize(
    "answer", ["5", "'text'", "[[1, 2, 3]]", "[0.5, [1]]", "[0.9, 0.9]", "None", "[[0, 0, 5, 5, float('nan'), 0]]"]
)
def test_answers_that_are_no_predictions(tmp_path, answer):
    with pytest.raises(ModelError):
        estimator(tmp_path / "m", answer).predict([BLACK])


def test_errors_of_an_estimator_are_the_models(tmp_path):
    runtime = estimator(tmp_path / "m", "[1.0]")
    with pytest.raises(ModelError, match="EdgeTestEstimator failed: AssertionError"):
        runtime.predict([np.zeros((3, 3, 3), np.uint8)])
    with pytest.raises(ModelError, match="cannot load"):
        estimator(tmp_path / "n", "1 +")


def test_an_unknown_algorithm_lists_the_known_ones(tmp_path):
    with pytest.raises(UnknownClassError, match="EdgeTestEstimator"):
        estimator(tmp_path / "m", "[1.0]", algorithm="NoSuchThing")


def test_arrays_are_read_like_lists():
    rows = np.array([[1, 2, 3, 4, 0.5, 7]], np.float32)
    assert prediction_of(rows) == prediction_of([rows[0]]) == detection(rows.tolist())
    assert prediction_of(np.array([0.5, 0.5])).label == 0
    assert prediction_of([]) == Prediction()


NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


@given(st.lists(st.lists(NUMBERS, max_size=8), max_size=4))
def test_rows_are_a_prediction_or_a_model_error(rows):
    try:
        prediction = detection(rows)
    except ModelError:
        return
    for box in prediction.boxes:
        assert all(math.isfinite(value) for value in (box.x1, box.y1, box.x2, box.y2))
        assert 0 <= box.score <= 1
        assert box.x2 > box.x1


@given(st.lists(NUMBERS, max_size=6))
def test_numbers_are_probabilities_or_a_model_error(values):
    try:
        prediction = classification(values)
    except ModelError:
        return
    assert sum(prediction.probabilities) == pytest.approx(1, abs=0.01)
    assert prediction.probabilities[prediction.label] == max(prediction.probabilities)


def test_rounding_of_scores_is_forgiven():
    assert detection([[0, 0, 1, 1, 1.0000001, 0]]).boxes[0].score == 1.0
    assert classification([1.0000001, 0.0]).probabilities[0] == 1.0


def test_an_estimator_is_made_with_the_parameters_of_its_training(tmp_path):
    how = {"algorithm": "EdgeTestConfigured", "class_names": ("low", "high"), "parameters": {"scale": 0.75}}
    (prediction,) = estimator(tmp_path / "m", "None", **how).predict([BLACK])
    assert prediction.probabilities == (0.25, 0.75)


@pytest.mark.parametrize("parameters", [{}, {"scale": 0.5, "depht": 3}], ids=["missing", "unknown"])
def test_parameters_that_the_registered_class_does_not_take_are_named(tmp_path, parameters):
    with pytest.raises(
        SpecError, match=r"parameters of model 1 of .*: EdgeTestConfigured does not take them: .*"
    ) as caught:
        estimator(tmp_path / "m", "None", algorithm="EdgeTestConfigured", parameters=parameters)
    assert "scale" in str(caught.value) or "depht" in str(caught.value)


@ClassFactory.register(ClassType.GENERAL, alias="EdgeTestPaths")
class OfPaths(Estimator):
    """As a class that reads files: the pixels decide, so that nothing may be lost on the way."""

    predict_input = "paths"

    def predict(self, data):
        assert all(isinstance(path, str) for path in data)
        return (
            [float(decode_image(Path(path).read_bytes(), max_pixels=100).pixels[0, 0, 0] == 7), 0.0] for path in data
        )


def test_a_class_may_ask_for_file_names(tmp_path):
    runtime = estimator(tmp_path / "m", "None", algorithm="EdgeTestPaths", class_names=())
    seven = np.full((8, 8, 3), 7, np.uint8)
    with pytest.raises(ModelError, match="sum up to 0"):
        runtime.predict([BLACK])
    (found,) = runtime.predict([seven])
    assert found.probabilities == (1.0, 0.0)


def test_a_kind_of_input_that_there_is_not_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(OfPaths, "predict_input", "path")
    with pytest.raises(SpecError, match="'arrays' \\(default\\) or 'paths'"):
        estimator(tmp_path / "m", "None", algorithm="EdgeTestPaths")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("1", "a list of class probabilities"),
        ("[3.0, 1.0]", "need a softmax"),
        ("[0.5, 0.25]", "need a softmax"),
        ("[[1, 2, 3, 4, 0.5]]", "in pixels of the picture"),
    ],
)
def test_an_answer_that_is_none_says_what_would_be(tmp_path, answer, words):
    with pytest.raises(ModelError, match=words):
        estimator(tmp_path / "m", answer).predict([BLACK])
