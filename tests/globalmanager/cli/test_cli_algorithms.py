"""``sedna new algorithm`` and ``sedna check-module``: what they write passes, and each trap has its own message."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from PIL import Image

from globalmanager.cli.errors import ExitCode
from globalmanager.cli.module_check.findings import CheckError, judge_evaluation
from globalmanager.cli.module_check.job_file import certainty_threshold
from sedna.algorithms.hard_example_mining.cross_entropy import CrossEntropyFilter
from sedna.common.types import Prediction

if TYPE_CHECKING:
    from conftest import Cli


def paint(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and bright pictures, a folder each, with what other programs leave beside them."""
    folder = tmp_path_factory.mktemp("classes")
    rng = np.random.default_rng(0)
    for name, level in (("bright", 180), ("dark", 40)):
        for number in range(8):
            paint(folder / name / f"{number}.png", rng.integers(level, level + 40, (12, 16, 3)))
    paint(folder / ".ipynb_checkpoints" / "0.png", np.zeros((8, 8, 3)))
    return folder


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey pictures with red and blue parts, and an index of them."""
    folder = tmp_path_factory.mktemp("boards")
    rng = np.random.default_rng(0)
    lines = []
    for number in range(16):
        pixels = rng.integers(100, 120, (64, 96, 3))
        boxes = []
        for label, x in enumerate((8 * int(rng.integers(0, 4)), 8 * int(rng.integers(6, 10)))):
            y = 8 * int(rng.integers(0, 5))
            pixels[y : y + 24, x : x + 16] = (220, 30, 30) if label == 0 else (30, 30, 220)
            boxes.append(f"{x},{y},{x + 16},{y + 24},{label}")
        paint(folder / "images" / f"{number}.png", pixels)
        lines.append(f"{number}.png {' '.join(boxes)}")
    (folder / "index.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_what_is_written_for_a_classifier_passes(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    file = tmp_path / "mine.py"
    assert f"sedna check-module {file} --data" in nowhere.out("new", "algorithm", "--kind", "classification", str(file))
    kept = tmp_path / "kept"
    options = ("--param", "epochs=100", "--keep", str(kept))
    found = nowhere.run("check-module", str(file), "--data", str(classes), *options)
    assert "16 pictures with classes: bright, dark" in found.stdout
    assert "right for 4 of 4 pictures, given as arrays" in found.stdout
    assert [line.split()[0] for line in found.stdout.splitlines()][:-1] == [
        "data", "load", "train", "save", "evaluate", "edge", "predict", f"{file}:",
    ]  # fmt: skip
    assert f"trainSpec.algorithm {{name: MyClassifier, module: {file}}}" in found.stdout
    assert not found.stderr
    assert "IncrementalLearningJob mine is valid" in nowhere.out("validate", str(kept / "job.yaml")).replace(
        "default/", ""
    )
    _, model, job = yaml.safe_load_all((kept / "job.yaml").read_text())
    assert Path(model["spec"]["url"]).is_file()
    assert job["spec"]["trainSpec"]["algorithm"]["parameters"] == {"epochs": 100}
    assert job["spec"]["deploySpec"]["gate"]["metric"] == "accuracy"


def test_a_fifth_of_the_checked_pictures_would_be_hard() -> None:
    sure = [Prediction(probabilities=(1 - step / 100, step / 100)) for step in range(1, 11)]
    threshold = certainty_threshold(sure)
    miner = CrossEntropyFilter(threshold)
    assert [miner.judge(one.probabilities).hard for one in sure] == [False] * 8 + [True] * 2
    assert certainty_threshold([]) == 0.5
    assert certainty_threshold([Prediction(boxes=())]) == 0.5
    assert certainty_threshold([Prediction(probabilities=(0.5, 0.5))]) == 0.5, "unsure of all of them"
    assert certainty_threshold([Prediction(probabilities=(1.0, 0.0))]) == 1.0


def test_what_is_written_for_a_detector_passes(nowhere: Cli, tmp_path: Path, boards: Path) -> None:
    file = tmp_path / "mine.py"
    nowhere.out("new", "algorithm", "--kind", "detection", str(file), "--name", "PartFinder")
    found = nowhere.run("check-module", str(file), "--data", str(boards))
    assert "16 pictures with boxes: 0, 1" in found.stdout
    assert "registers PartFinder" in found.stdout
    assert "8 boxes in 4 pictures, 8 are labelled" in found.stdout
    assert "f1 1" in found.stdout


def test_nothing_is_overwritten_and_a_name_has_to_be_one(nowhere: Cli, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("precious = True\n")
    nowhere.run("new", "algorithm", "--kind", "detection", str(file), code=ExitCode.USAGE)
    assert file.read_text() == "precious = True\n"
    nowhere.run("new", "algorithm", "--kind", "detection", str(tmp_path / "mine.txt"), code=ExitCode.USAGE)
    new = str(tmp_path / "new.py")
    nowhere.run("new", "algorithm", "--kind", "detection", new, "--name", "a b", code=ExitCode.USAGE)
    assert not (tmp_path / "new.py").exists()


SOUND = {
    "head": "",
    "alias": "Trap",
    "format": 'model_format = "npz"',
    "save": "np.savez(open(model_url, 'wb'), border=100.0)",
    "predict": "return [[float(picture.mean() <= 128), float(picture.mean() > 128)][::-1] for picture in data]",
    "rows": "{'tp': [int(i == label and i == answer) for i in (0, 1)],"
    " 'fp': [int(i != label and i == answer) for i in (0, 1)],"
    " 'fn': [int(i == label and i != answer) for i in (0, 1)]}",
    "sample": "Path(path).stem",
    "read": "read_pictures(data.x)",
}

TEXT = """\
from pathlib import Path
import numpy as np
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.datasources import read_pictures
{head}

@ClassFactory.register(ClassType.GENERAL, alias="{alias}")
class Trap:
    {format}

    def train(self, train_data):
        return {{}}

    def save(self, model_url):
        {save}

    def load(self, model_url):
        assert Path(model_url).is_file()

    def predict(self, data):
        {predict}

    def evaluate(self, data):
        rows = []
        for path, picture, label in zip(data.x, {read}, data.y):
            label, answer = int(label), int(np.argmax(self.predict([picture])[0]))
            rows.append({{"sample": {sample}, **{rows}}})
        return {{"per_sample": rows}}
"""


def check(cli: Cli, folder: Path, data: Path, code: int = 0, **parts: str) -> str:
    file = folder / "trap.py"
    file.write_text(TEXT.format(**(SOUND | parts)))
    found = cli.run("check-module", str(file), "--data", str(data), code=code)
    return found.stdout + found.stderr


def test_a_sound_class_has_nothing_to_be_told(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    assert "warning" not in check(nowhere, tmp_path, classes)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            {"predict": "return [[1 / picture.std(), 1 - 1 / picture.std()] for picture in data]"},
            ["self-test with a picture of 96 x 96 pixels, black", "it must have an answer to every picture"],
        ),
        (
            {
                "predict": "from PIL import Image; return [[1.0, 0.0] for path in data if Image.open(path)]",
                "read": "data.x",
            },
            ["RGB uint8 arrays of shape (height, width, 3)", "predict_input = 'paths'"],
        ),
        ({"read": "[]"}, ["evaluate: has no per_sample", "'tp': [...]"]),
        ({"save": "pass"}, ["the estimator's save wrote nothing there (save writes the file", "--keep FOLDER"]),
    ],
    ids=["black", "paths", "no-rows", "unsaved"],
)
def test_every_trap_says_what_to_do(
    nowhere: Cli, tmp_path: Path, classes: Path, parts: dict[str, str], words: list[str]
) -> None:
    told = check(nowhere, tmp_path, classes, ExitCode.FAILURE, **parts)
    flat = " ".join(told.split())
    for word in words:
        assert word in flat, told


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("1 / 0", "trap.py:5: cannot be loaded: ZeroDivisionError"),
        ("import no_such_package_anywhere", "trap.py:5: cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_file_that_cannot_be_loaded_has_its_line(
    nowhere: Cli, tmp_path: Path, classes: Path, head: str, words: str
) -> None:
    assert words in check(nowhere, tmp_path, classes, ExitCode.USAGE, head=head)


COUNTS = {"tp": [1, 0], "fp": [0, 0], "fn": [0, 0]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{}, {}], ["neither counts nor a value", "'tp': [...]"]),
        ([COUNTS, {"value": 1.0}], ["some rows have counts, and others a value"]),
        ([{"tp": [1], "fp": [0], "fn": [0]}] * 2, ["counts of 1 classes, there are 2"]),
        ([{"sample": "/data/a.png", **COUNTS}] * 2, ["2 of 2 samples have no row; rows are called like '/data/a.png'"]),
    ],
    ids=["empty", "mixed", "short", "names"],
)
def test_rows_that_the_gate_cannot_use_say_what_to_return(rows: list[dict[str, Any]], words: list[str]) -> None:
    made = [{"sample": name, **row} for name, row in zip("ab", rows, strict=True)]
    with pytest.raises(CheckError) as caught:
        judge_evaluation({"results": [{"metrics": {"per_sample": made}}]}, ["a", "b"], 2)
    for word in words:
        assert word in str(caught.value)


def test_a_class_that_asks_for_paths_gets_them(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    told = check(
        nowhere, tmp_path, classes,
        format='model_format, predict_input = "npz", "paths"',
        predict="m = [p.mean() for p in read_pictures(data)]; return [[float(x > 128), float(x <= 128)] for x in m]",
        read="data.x",
    )  # fmt: skip
    assert "right for 4 of 4 pictures" in told


def test_rows_with_a_value_say_which_metric_to_set(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    assert "gate.metric: value (set it: the default f1 needs counts)" in check(
        nowhere, tmp_path, classes, rows="{'value': float(answer == label)}"
    )


@pytest.mark.parametrize(
    ("save", "suffix"),
    [
        ("np.savez(open(model_url, 'wb'), border=1.0)", "npz"),
        ("from safetensors.numpy import save_file; save_file({'a': np.zeros(3)}, model_url)", "safetensors"),
    ],
)
def test_a_file_that_is_no_pickle_is_not_called_one_in_silence(
    nowhere: Cli, tmp_path: Path, classes: Path, save: str, suffix: str
) -> None:
    told = check(nowhere, tmp_path, classes, format="pass", save=save)
    assert f"holds {suffix}: model_format = '{suffix}' on the class gives it that name" in told


def test_another_reading_of_the_files_in_evaluate_is_noticed(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    told = check(nowhere, tmp_path, classes, read="[255 - picture for picture in read_pictures(data.x)]")
    assert "evaluate and predict disagree on 4 of 4 pictures" in told


def test_a_neighbour_that_is_not_stored_is_named(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    (tmp_path / "a_helper_beside_it.py").write_text("")
    told = check(nowhere, tmp_path, classes, head="import json, a_helper_beside_it")
    assert "it imports a_helper_beside_it, which is beside it and not stored with a model" in told


def test_several_classes_need_a_name(nowhere: Cli, tmp_path: Path, classes: Path) -> None:
    two = "ClassFactory.register_cls(dict, alias='Other')"
    told = check(nowhere, tmp_path, classes, ExitCode.FAILURE, head=two)
    assert "it registers Other, Trap" in told
    file = str(tmp_path / "trap.py")
    nowhere.run("check-module", file, "--data", str(classes), "--name", "Trap")


@pytest.mark.parametrize("data", ["missing", "empty"])
def test_a_folder_without_labelled_pictures_says_how_they_may_lie(nowhere: Cli, tmp_path: Path, data: str) -> None:
    (tmp_path / "empty").mkdir()
    file = tmp_path / "mine.py"
    nowhere.out("new", "algorithm", "--kind", "detection", str(file))
    code = ExitCode.NOT_FOUND if data == "missing" else ExitCode.USAGE
    found = nowhere.run("check-module", str(file), "--data", str(tmp_path / data), code=code)
    assert "a folder of pictures for each class" in found.stderr
