"""The file that a job's algorithm comes from: what is wrong with it is said before the job is accepted."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixtures_api import Api
from globalmanager.api.manifests import ManifestError, parse_manifests, read_manifests

GOOD = """\
import os
from sedna.common.class_factory import ClassFactory, ClassType

print("noise on standard output")
SECRET = os.environ.get("AWS_SECRET_ACCESS_KEY")
assert SECRET is None, f"a worker would not see {SECRET}"


@ClassFactory.register(ClassType.GENERAL, alias="Mine")
class Mine:
    def __init__(self, depth=1, class_names=()):
        raise RuntimeError("making one is the worker's business")
"""

JOB = """\
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {name: pcb}
spec:
  classNames: [good, bad]
  dataset: {name: boards, trainProb: 0.8}
  initialModel: {name: first}
  trainSpec:
    algorithm:
      name: Mine
      module: MODULE
      parameters: {depth: 3}
  deploySpec:
    model: {name: first}
    hardExampleMining: {name: IBT}
"""

WRONG = {
    "missing": (None, "module", 11, "there is no file", "registers 'Mine'"),
    "syntax": ("def broken(:\n", "module", 11, "mine.py:1: cannot be compiled", ""),
    "import": ("x = 1\nimport no_such_package\n", "module", 11, "mine.py:2: cannot be loaded: ModuleNotFoundError", ""),
    "exit": ("raise SystemExit(3)\n", "module", 11, "ends the process when it is loaded (3)", ""),
    "crash": ("import os\nos._exit(7)\n", "module", 11, "ends with code 7", ""),
    "another name": (GOOD.replace('"Mine"', '"Yours"'), "name", 10, "it registers Yours", 'alias="Mine"'),
    "no name": ("x = 1\n", "name", 10, "it registers nothing", 'alias="Mine"'),
    "parameters": (GOOD.replace("depth=1, ", ""), "parameters", 12, "unexpected keyword argument 'depth'", ""),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_a_module_that_no_worker_could_use_is_refused(
    tmp_path: Path, case: tuple[str | None, str, int, str, str]
) -> None:
    content, key, line, message, hint = case
    if content is not None:
        (tmp_path / "mine.py").write_text(content)
    (tmp_path / "job.yaml").write_text(JOB.replace("MODULE", "mine.py"))
    with pytest.raises(ManifestError) as caught:
        read_manifests(tmp_path / "job.yaml", try_modules=True)
    (found,) = caught.value.diagnostics
    assert (found.key, found.line) == (f"spec.trainSpec.algorithm.{key}", line)
    assert str(tmp_path / "mine.py") in found.message or key == "parameters"
    assert message in found.message
    assert hint in found.hint


def test_a_good_module_is_accepted_and_never_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the service")
    (tmp_path / "mine.py").write_text(GOOD)
    (tmp_path / "job.yaml").write_text(JOB.replace("MODULE", "mine.py"))
    assert len(read_manifests(tmp_path / "job.yaml", try_modules=True)) == 1
    assert len(parse_manifests(JOB.replace("MODULE", str(tmp_path / "mine.py")).encode(), "body")) == 1


def test_an_evaluation_module_is_looked_at_as_well(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(GOOD)
    judge = "  evalSpec: {algorithm: {name: Judge, module: judge.py}}\n"
    (tmp_path / "job.yaml").write_text(JOB.replace("MODULE", "mine.py") + judge)
    with pytest.raises(
        ManifestError, match=r"job.yaml:16: spec.evalSpec.algorithm.module: there is no file .*judge.py"
    ):
        read_manifests(tmp_path / "job.yaml")


def test_who_applies_looks_for_relative_files_only(tmp_path: Path) -> None:
    """An absolute path may be of the machine that runs the service, which looks itself."""
    (tmp_path / "job.yaml").write_text(JOB.replace("MODULE", "/on/the/service/mine.py"))
    assert len(read_manifests(tmp_path / "job.yaml")) == 1
    (tmp_path / "job.yaml").write_text(JOB.replace("MODULE", "mine.py"))
    with pytest.raises(ManifestError, match="there is no file"):
        read_manifests(tmp_path / "job.yaml")


@pytest.mark.parametrize(
    ("module", "words"),
    [("/no/such/mine.py", "there is no file /no/such/mine.py"), ("mine.py", "is relative"), ("/etc", "no Python file")],
)
def test_the_service_refuses_the_job(api: Api, module: str, words: str) -> None:
    headers = {**api.admin, "Content-Type": "application/yaml"}
    response = api.http.post("/api/v1/resources", content=JOB.replace("MODULE", module), headers=headers)
    assert response.status_code == 422
    problem = response.json()
    assert problem["where"] == "body:11: spec.trainSpec.algorithm.module"
    assert words in problem["detail"]
    assert problem["hint"]
