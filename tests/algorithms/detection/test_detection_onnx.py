from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from algorithms.detection.detection_pictures import Source
from sedna.algorithms.detection.fpn import BaseModel
from sedna.algorithms.detection.onnx_runtime import OnnxDetector
from sedna.algorithms.detection.predictor import forward
from sedna.common.errors import DataError, ModelError

THRESHOLD = 0.02


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[BaseModel, Path]:
    """A network with random weights whose head bias makes scores of every size, and its ONNX form."""
    config = {"class_names": ("a", "b", "c"), "fpn_channels": 16, "input_size": 96, "score_threshold": THRESHOLD}
    model = BaseModel(**config, seed=2)
    with torch.no_grad():
        model.model.head.classify.weight.mul_(400)
        model.model.head.regress.weight.mul_(100)
    path = tmp_path_factory.mktemp("onnx") / "deep" / "model.onnx"
    model.export_onnx(path)
    return model, path


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, shape, dtype=np.uint8) for shape in ((96, 96, 3), (200, 120, 3), (40, 64, 3))]


def test_raw_outputs_equal_torch(exported: tuple[BaseModel, Path]) -> None:
    model, path = exported
    detector = OnnxDetector(path)
    x_BHWC = np.stack([pictures()[0]] * 3)
    boxes_BN4, scores_BNK = detector.raw(x_BHWC)
    expected = list(forward(model.model, list(x_BHWC), 96, 3))
    np.testing.assert_allclose(boxes_BN4, [raw.boxes_N4 for raw in expected], atol=1e-2)
    np.testing.assert_allclose(scores_BNK, [raw.scores_NK for raw in expected], atol=1e-4)
    assert float(np.ptp(scores_BNK)) > 0.1  # the comparison is about something


def test_predictions_equal_torch_for_all_sizes(exported: tuple[BaseModel, Path]) -> None:
    model, path = exported
    for ours, theirs in zip(OnnxDetector(path).predict(pictures()), model.predict(pictures()), strict=True):
        assert len(ours) > 0
        assert [row[5] for row in ours] == [row[5] for row in theirs]
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), atol=0.05)


def test_the_file_describes_itself(exported: tuple[BaseModel, Path]) -> None:
    _, path = exported
    detector = OnnxDetector(path)
    assert detector.class_names == ("a", "b", "c")
    assert (detector.spec.input_size, detector.spec.score_threshold) == (96, THRESHOLD)
    assert [file.name for file in path.parent.iterdir()] == ["model.onnx"]


def test_the_threshold_can_be_set(exported: tuple[BaseModel, Path]) -> None:
    _, path = exported
    plain, strict = OnnxDetector(path).predict(pictures()), OnnxDetector(path, score_threshold=0.3).predict(pictures())
    assert strict == [[row for row in rows if row[4] >= 0.3] for rows in plain] or sum(map(len, strict)) < sum(
        map(len, plain)
    )


def test_a_wrong_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.onnx: cannot be opened"):
        OnnxDetector(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"rubbish")
    with pytest.raises(ModelError, match=r"bad\.onnx: cannot be opened"):
        OnnxDetector(tmp_path / "bad.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", [value], [out])
    foreign = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match=r"foreign\.onnx: has no sedna\.fpn metadata"):
        OnnxDetector(tmp_path / "foreign.onnx")


def test_a_bad_picture_is_named(exported: tuple[BaseModel, Path], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"rubbish")
    with pytest.raises(DataError, match=r"bad\.png"):
        OnnxDetector(exported[1]).predict([tmp_path / "bad.png"])


def test_an_edge_never_imports_torch(exported: tuple[BaseModel, Path]) -> None:
    code = f"""
import sys
import numpy as np
from sedna.algorithms.detection import OnnxDetector
rows = OnnxDetector({str(exported[1])!r}).predict([np.zeros((96, 96, 3), np.uint8)])
assert len(rows) == 1, rows
heavy = sorted(set(sys.modules) & {{"torch", "torchvision", "onnx", "onnxscript", "safetensors"}})
assert heavy == [], heavy
"""
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def test_a_trained_model_finds_the_same_on_the_edge(tiny: dict[str, Any], source: Source, tmp_path: Path) -> None:
    model = BaseModel(**{**tiny, "max_iteration": 60, "learning_rate": 0.01, "score_threshold": 0.2})
    model.train(source)
    model.export_onnx(tmp_path / "m.onnx")
    ours, theirs = OnnxDetector(tmp_path / "m.onnx").predict(source.x), model.predict(source)
    assert sum(map(len, theirs)) > 5
    assert [len(rows) for rows in ours] == [len(rows) for rows in theirs]


def test_a_model_does_not_tell_where_it_was_made(exported: tuple[BaseModel, Path]) -> None:
    assert b'File "' not in exported[1].read_bytes()
    assert b"onnx_export" not in exported[1].read_bytes()
