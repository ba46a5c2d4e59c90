"""Failures of user code name its file and line, wherever they are shown."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ianvs.usercode import UserCode
from ianvs.usercode.trace import defined_at, user_place
from ianvs_bench import Bench
from sedna.common.errors import DataError

BASEMODEL = "algorithm/basemodel.py"


def place_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(text)
    with pytest.raises(BaseException) as caught:
        UserCode().load("model.py").act()
    return user_place(caught.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("def act():\n    return 1 / 0\n", "model.py:2"),
        ("def act():\n    import json\n    json.loads('{')\n", "model.py:3"),
        ("import gone_for_good\n", "model.py:1"),
        ("x = 1\ndef (:\n", "model.py:2"),
        ("raise SystemExit(3)\n", "model.py:1"),
        ("def act():\n  try:\n    1 / 0\n  except ZeroDivisionError as e:\n    raise KeyError from e\n", "model.py:3"),
        ("def act():\n    exec(compile('1 / 0', 'nowhere', 'exec'))\n", "model.py:2"),
    ],
)  # fmt: skip
def test_the_innermost_line_of_the_user_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, place: str
) -> None:
    assert place_of(tmp_path, monkeypatch, text) == place


def test_a_file_elsewhere_is_named_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "model.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DataError) as caught:
        UserCode().load("../model.py")
    assert user_place(caught.value) == f"{tmp_path}/model.py:1"


def test_an_error_of_ours_has_no_place() -> None:
    assert user_place(DataError("never raised")) == ""
    with pytest.raises(DataError) as caught:
        UserCode().load("ianvs.metrics.no_such_metric")
    assert caught.value.__traceback__ is not None
    assert user_place(caught.value.with_traceback(caught.value.__traceback__.tb_next)) == ""  # less this test's frame


def test_code_is_named_by_where_it_is_defined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(
        "import functools\n\n\nclass Model:\n    def __init__(self):\n        pass\n\n"
        "    @functools.lru_cache\n    def predict(self):\n        pass\n\n\nclass Plain:\n    pass\n"
    )
    module = UserCode().load("model.py")
    assert defined_at(module.Model) == "model.py:5"
    assert defined_at(module.Model().predict).startswith("model.py:8")
    assert defined_at(module.Plain) == "Plain"


def failing(bench: Bench, name: str, old: str, new: str) -> dict[str, str]:
    """An algorithm of its own whose basemodel fails in the line ``new``."""
    folder = bench.folder / name
    folder.mkdir()
    text = (bench.folder / BASEMODEL).read_text()
    assert old in text
    (folder / "basemodel.py").write_text(text.replace(old, new, 1))
    (folder / "reading.py").write_text((bench.folder / "algorithm" / "reading.py").read_text())
    document = yaml.safe_load((bench.folder / "algorithm" / "incremental.yaml").read_text())
    modules = document["algorithm"]["modules"]
    modules[0] |= {"url": f"./{name}/basemodel.py", "hyperparameters": []}
    (folder / "algorithm.yaml").write_text(yaml.safe_dump(document))
    return {"name": name, "url": f"./{name}/algorithm.yaml"}


def test_the_summary_the_lines_and_the_page_name_file_and_line(bench: Bench) -> None:
    mistakes = {
        "training": ("        values = np", "        raise RuntimeError('no')\n        values = np"),
        "loading": ("import json\n", "import json, gone_for_good\n"),
        "making": ('        os.environ["MODEL_NAME"]', "        None.rate = 3\n        os.environ['MODEL_NAME']"),
        "answering": (
            "    def predict(self, data",
            "    def predict(self, data, *_):\n        return 7\n    def old(self, data",
        ),
        "refusing": ("    def __init__(self, **kwargs):", "    def __init__(self, needed, **kwargs):"),
        "quitting": ("        values = np", "        raise SystemExit(3)\n        values = np"),
    }
    entries = [failing(bench, name, old, new) for name, (old, new) in mistakes.items()]
    fine = {"name": "fine", "url": "./algorithm/incremental.yaml"}
    bench.edit("benchmarkingjob.yaml", test_object__algorithms=[*entries, fine])
    done = bench.run("benchmarkingjob.yaml")
    assert done.returncode == 1
    page = (bench.workspace / "rank" / "report.html").read_text()
    for name, (_, new) in mistakes.items():
        marks = ("raise", "gone", "None", "*_", "needed")
        wrong = next(line for line in new.splitlines() if any(mark in line for mark in marks))
        lines = (bench.folder / name / "basemodel.py").read_text().splitlines()
        place = f"{name}/basemodel.py:{lines.index(wrong) + 1}: "
        progress, summary = (line for line in done.stderr.splitlines() if place in line)
        assert progress.startswith(f"FAILED {name}: {place}")
        assert summary.startswith(f"{name} (./workspace/")
        assert place in page


def test_a_metric_that_fails_is_named_with_its_line(bench: Bench) -> None:
    metric = bench.folder / "testenv" / "size.py"
    metric.write_text(
        "from sedna.common.class_factory import ClassFactory, ClassType\n\n\n"
        "@ClassFactory.register(ClassType.GENERAL, alias='size')\ndef size(y_true, y_pred):\n    return 1 / 0\n"
    )
    bench.edit("testenv/testenv.yaml", metrics=[{"name": "size", "url": "./testenv/size.py"}])
    done = bench.run()
    assert done.returncode == 1
    assert "testenv/size.py:6: metric 'size' raised ZeroDivisionError" in done.stderr
