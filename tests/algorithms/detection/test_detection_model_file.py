from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from algorithms.detection.detection_pictures import Source
from sedna.algorithms.detection.fpn import BaseModel
from sedna.common.errors import ModelError, SpecError


@pytest.fixture
def trained(tiny: dict[str, Any], source: Source) -> BaseModel:
    model = BaseModel(**tiny, score_threshold=0.005)
    model.train(source)
    return model


def test_a_loaded_model_predicts_the_same(trained: BaseModel, source: Source, tmp_path: Path) -> None:
    path = tmp_path / "new" / "m.safetensors"
    assert trained.save(path) == str(path)
    other = BaseModel()
    other.load(path)
    assert other.config.class_names == ("full", "hollow")
    assert other.config.input_size == 64
    assert other.config.score_threshold == 0.005
    expected = trained.predict(source)
    assert sum(map(len, expected)) > 0
    assert other.predict(source) == expected
    assert [file.name for file in path.parent.iterdir()] == ["m.safetensors"]


def test_a_folder_stands_for_the_one_file_in_it(trained: BaseModel, tmp_path: Path) -> None:
    path = Path(trained.save(tmp_path / "models"))
    assert path == tmp_path / "models" / "model.safetensors"
    BaseModel().load(tmp_path / "models")
    shutil.copy(path, path.with_name("second.safetensors"))
    with pytest.raises(ModelError, match=r"2 \.safetensors files"):
        BaseModel().load(tmp_path / "models")


def test_half_precision_is_half_the_bytes(trained: BaseModel, source: Source, tmp_path: Path) -> None:
    whole, half = (Path(trained.save(tmp_path / f"{half}.safetensors", half=half)) for half in (False, True))
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    other = BaseModel()
    other.load(half)
    assert other.model.head.classify.weight.dtype == torch.float32
    assert len(other.predict(source)) == len(source.x)


def test_new_classes_keep_the_old_rows_in_any_order(trained: BaseModel, tmp_path: Path) -> None:
    path = trained.save(tmp_path)
    grown = BaseModel(class_names=("hollow", "new", "full"))
    grown.load(path)
    old, new = trained.model.state_dict(), grown.model.state_dict()
    for key in ("head.classify.weight", "head.classify.bias"):
        assert torch.equal(new[key][0], old[key][1])
        assert torch.equal(new[key][2], old[key][0])
    assert torch.equal(new["head.regress.weight"], old["head.regress.weight"])
    # the new row starts as every class of a new network does: with a low score
    assert float(new["head.classify.bias"][1].sigmoid()) == pytest.approx(0.01, rel=1e-3)


def test_a_class_that_is_no_longer_wanted_is_an_error(trained: BaseModel, tmp_path: Path) -> None:
    path = trained.save(tmp_path)
    with pytest.raises(ModelError, match="the model knows hollow, class_names does not"):
        BaseModel(class_names=("full", "other")).load(path)


def test_another_architecture_is_an_error(trained: BaseModel, tmp_path: Path) -> None:
    path = trained.save(tmp_path)
    with pytest.raises(ModelError, match="fpn_channels=8, asked was 16"):
        BaseModel(fpn_channels=16).load(path)


def test_a_wrong_file_is_an_error(trained: BaseModel, tmp_path: Path) -> None:
    good = Path(trained.save(tmp_path / "good"))
    cases = {
        "pickle.safetensors": pickle.dumps({"weights": 1}),
        "empty.safetensors": b"",
        "cut.safetensors": good.read_bytes()[:-100],
        "foreign.safetensors": safetensors.torch.save({"a": torch.zeros(2)}),
        "version.safetensors": good.read_bytes().replace(b'\\"version\\":1', b'\\"version\\":2'),
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        model = BaseModel()
        with pytest.raises(ModelError, match=name):
            model.load(tmp_path / name)
    tensors = safetensors.torch.load_file(good)
    with safetensors.safe_open(good, "pt") as file:
        header = file.metadata()
    safetensors.torch.save_file(
        {"head.classify.bias": tensors["head.classify.bias"]}, tmp_path / "few.safetensors", header
    )
    with pytest.raises(ModelError, match="weights do not fit"):
        BaseModel().load(tmp_path / "few.safetensors")
    with pytest.raises(ModelError, match="no such file or folder"):
        BaseModel().load(tmp_path / "nowhere.safetensors")
    (tmp_path / "void").mkdir()
    with pytest.raises(ModelError, match=r"0 \.safetensors files"):
        BaseModel().load(tmp_path / "void")


def test_a_failed_load_leaves_the_model_as_it_was(trained: BaseModel, source: Source, tmp_path: Path) -> None:
    expected = trained.predict(source)
    with pytest.raises(ModelError):
        trained.load(tmp_path / "nowhere")
    assert trained.predict(source) == expected


def test_without_classes_or_a_model_nothing_can_be_done(source: Source) -> None:
    with pytest.raises(SpecError, match="no class names"):
        BaseModel().predict(source)


def test_a_model_is_not_written_where_its_onnx_form_belongs(trained: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"model\.safetensors, or a folder"):
        trained.save(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []
