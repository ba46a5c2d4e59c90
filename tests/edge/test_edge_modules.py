"""An edge and the versions of a user's file: the model's own one runs, or none."""

import hashlib
import io
import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.edge_twins import JOB, MemoryLink, manifest_of
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import ConflictError, LinkUnavailableError, SpecError
from sedna.edge import EdgeSettings, EdgeWorker
from sedna.edge.modules import EdgeModules
from sedna.store.file_sets import FileEntry

PIXELS = np.zeros((8, 8, 3), np.uint8)

CODE = """\
from pathlib import Path
from sedna.common.class_factory import ClassFactory, ClassType
{first}

@ClassFactory.register(ClassType.GENERAL, alias="OfAUser")
class OfAUser:
    def load(self, model_url):
        self.text = Path(model_url).read_text()

    def predict(self, data):
        return [{answer} for _ in data]
"""


def code(answer="[0.5, 0.5]", first=""):
    return CODE.format(answer=answer, first=first).encode()


class Plant:
    """One edge on one folder, a cloud with models of a user's class, and the user's file."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.link = MemoryLink()
        self.file = folder / "mine.py"
        self.workers: list[EdgeWorker] = []

    def publish(self, version: int, source: bytes | None, **changes):
        folder = self.folder / f"model-{version}"
        folder.mkdir()
        (folder / "weights.txt").write_text("2")
        values = {"algorithm": "OfAUser", "runtime": "python", "class_names": ("a", "b"), **changes}
        if source is not None:
            values["module"] = FileEntry(name="mine.py", sha256=hashlib.sha256(source).hexdigest(), size=len(source))
            self.link.modules[JOB, version] = source
        self.desired = self.link.publish(manifest_of(folder, version, **values), folder)
        return self.desired

    def start(self, *modules: Path, **settings):
        """An edge, as after a restart, with a slot that has looked at its disk."""
        for worker in self.workers:
            worker.stop()
        self.workers = [
            EdgeWorker(
                EdgeSettings(name="edge-1", data_dir=self.folder / "edge", modules=modules, **settings), self.link
            )
        ]
        worker = self.workers[0]
        served = worker._begin(JOB)
        driver = worker._drivers.pop(JOB)  # its thread would decide when: the tests do
        assert driver.stop(20)
        self.slot = served.slot
        self.slot._open_runtime = worker._open
        return self

    def ensure(self, asked=None):
        self.slot.ensure(self.desired.model_version, self.desired.manifest_sha256, asked)
        return self.slot.status

    def answer(self):
        with self.slot.lease() as model:
            return model.runtime.predict([PIXELS])[0].probabilities


@pytest.fixture
def plant(tmp_path):
    before = set(sys.modules)
    made = Plant(tmp_path)
    yield made
    for worker in made.workers:
        worker.stop()
    for name in set(sys.modules) - before:
        if name.startswith("sedna_plugin_"):
            del sys.modules[name]
    ClassFactory.__registry__.get(ClassType.GENERAL, {}).pop("OfAUser", None)


def test_the_version_of_the_model_opens_it(plant):
    plant.file.write_bytes(code("[0.25, 0.75]"))
    plant.publish(1, code("[0.25, 0.75]"))
    assert plant.start(plant.file).ensure().version == 1
    assert plant.answer() == (0.25, 0.75)


def test_another_version_is_refused_and_named(plant):
    plant.file.write_bytes(code("[0.25, 0.75]"))
    plant.publish(3, code("[0.75, 0.25]"))
    status = plant.start(plant.file).ensure()
    assert (status.state, status.failed_version) == ("failed", 3)
    wanted, here = (hashlib.sha256(code(text)).hexdigest()[:12] for text in ("[0.75, 0.25]", "[0.25, 0.75]"))
    assert f"model 3 was made with mine.py of sha256 {wanted}" in status.reason
    assert f"it holds mine.py of sha256 {here}" in status.reason
    assert "'sedna model module default/pcb 3'" in status.reason
    assert plant.link.module_reads == 0, "nothing of the service is even asked for"


def test_two_versions_may_be_held_and_each_model_gets_its_own(plant):
    old, new = code("[0.25, 0.75]"), code("[0.75, 0.25]")
    (plant.folder / "mine_v1.py").write_bytes(old)
    plant.file.write_bytes(new)
    plant.publish(1, old)
    plant.start(plant.file, plant.folder / "mine_v1.py").ensure()
    assert plant.answer() == (0.25, 0.75)
    plant.publish(2, new)
    assert plant.ensure().version == 2
    assert plant.answer() == (0.75, 0.25)


def test_an_edited_file_is_read_anew_and_the_version_before_is_kept_for_the_next_start(plant):
    plant.file.write_bytes(code("[0.25, 0.75]"))
    plant.publish(1, code("[0.25, 0.75]"))
    plant.start(plant.file).ensure()
    plant.file.write_bytes(code("[0.75, 0.25]"))
    plant.publish(2, code("[0.75, 0.25]"))
    assert plant.ensure().version == 2, "without a restart"
    assert plant.answer() == (0.75, 0.25)
    plant.publish(3, code("[0.25, 0.75]"))  # a roll-back, after a start with the edited file
    assert plant.start(plant.file).ensure().version == 3
    assert plant.answer() == (0.25, 0.75)


def test_a_restart_with_an_edited_file_and_no_network_serves_the_old_model_with_its_old_code(plant):
    plant.file.write_bytes(code("[0.25, 0.75]"))
    plant.publish(1, code("[0.25, 0.75]"))
    plant.start(plant.file).ensure()
    plant.file.write_bytes(code("[0.75, 0.25]"))
    plant.link.offline = True
    plant.start(plant.file)
    plant.slot.restore()
    assert plant.answer() == (0.25, 0.75)


def test_code_of_the_service_runs_only_where_the_edge_allows_it(plant):
    source = code("[0.25, 0.75]")
    plant.publish(1, source)
    assert plant.start().ensure().state == "failed"
    status = plant.start(allow_module_from_service=True).ensure()
    assert (status.state, status.version, plant.link.module_reads) == ("serving", 1, 1)
    plant.link.offline = True
    plant.start(allow_module_from_service=True)
    plant.slot.restore()
    assert plant.answer() == (0.25, 0.75), "kept for a start without a network"
    plant.start()
    plant.slot.restore()
    assert plant.slot.status.version is None, "and not run any more where that is no longer allowed"
    assert "does not hold" in plant.slot.status.reason


def test_code_that_is_not_what_the_manifest_says_never_runs(plant, tmp_path):
    plant.publish(1, code())
    harm = b"open(" + repr(str(tmp_path / "it-ran")).encode() + b", 'w')\n"
    plant.link.modules[JOB, 1] = harm
    status = plant.start(allow_module_from_service=True).ensure()
    assert status.state == "failed"
    assert "sha256" in status.reason or "more bytes" in status.reason
    assert not (tmp_path / "it-ran").exists()


def test_kept_code_that_was_changed_on_the_disk_never_runs(plant, tmp_path):
    plant.publish(1, code())
    plant.start(allow_module_from_service=True).ensure()
    (kept,) = (plant.folder / "edge" / "modules" / "from-service").glob("*/mine.py")
    kept.write_bytes(b"open(" + repr(str(tmp_path / "it-ran")).encode() + b", 'w')\n")
    plant.start(allow_module_from_service=True)
    plant.slot.restore()
    assert not (tmp_path / "it-ran").exists()
    assert plant.slot.status.version is None


def test_a_service_that_is_away_is_no_reason_to_give_the_model_up(plant):
    plant.publish(1, code())
    plant.start(allow_module_from_service=True)
    modules, plant.link.modules = plant.link.modules, {}

    def away(job, version):
        raise LinkUnavailableError("away")

    reader, plant.link.open_model_module = plant.link.open_model_module, away
    with pytest.raises(LinkUnavailableError):
        plant.ensure()
    assert plant.slot.status.failed_version is None
    plant.link.open_model_module, plant.link.modules = reader, modules
    assert plant.ensure().version == 1


def test_a_model_without_a_noted_version_is_opened_by_what_is_registered(plant):
    plant.file.write_bytes(code("[0.25, 0.75]"))
    plant.publish(1, None)
    plant.start(plant.file).ensure()
    assert plant.answer() == (0.25, 0.75)


def test_two_files_that_register_one_name_are_versions_and_others_are_a_conflict(plant, tmp_path, caplog):
    (tmp_path / "a.py").write_bytes(code())
    (tmp_path / "b.py").write_bytes(code("[1, 0]"))
    with caplog.at_level(logging.WARNING):
        EdgeModules([tmp_path / "a.py", tmp_path / "b.py"], tmp_path / "kept").load()
    assert "b.py serves only models that were made with it" in caplog.text
    ClassFactory.__registry__[ClassType.GENERAL].pop("OfAUser")
    ClassFactory.register_cls(Plant, alias="OfAUser")
    with pytest.raises(ConflictError):
        EdgeModules([tmp_path / "a.py"], tmp_path / "kept").load()


def test_only_so_many_versions_are_kept(plant, tmp_path):
    modules = EdgeModules([plant.file], tmp_path / "kept")
    for number in range(40):
        source = code(f"[{number}]")
        plant.file.write_bytes(source)
        folder = tmp_path / f"m{number}"
        folder.mkdir()
        (folder / "weights.txt").write_text("")
        entry = FileEntry(name="mine.py", sha256=hashlib.sha256(source).hexdigest(), size=len(source))
        manifest = manifest_of(folder, number + 1, runtime="python", module=entry)
        assert modules.find(manifest, io.BytesIO) is not None
    kept = {path.name for path in (tmp_path / "kept" / "held").iterdir()}
    assert len(kept) == 32
    assert entry.sha256 in kept


def test_what_is_wrong_with_the_file_is_said_with_its_line(plant):
    source = code(first="1 / 0")
    plant.file.write_bytes(source)
    with pytest.raises(SpecError, match=r"mine\.py:3: cannot be loaded: ZeroDivisionError"):
        plant.start(plant.file)


# --- models that were refused -------------------------------------------------------------------------------------


def test_a_missing_module_is_mended_by_the_next_start(plant):
    plant.publish(1, code())
    assert plant.start().ensure().state == "failed"
    assert plant.ensure().state == "failed", "the same again changes nothing"
    plant.file.write_bytes(code())
    plant.start(plant.file)
    plant.slot.restore()
    assert plant.ensure().state == "serving"


def test_a_missing_module_is_mended_by_an_edit_of_the_file_without_a_start(plant):
    plant.file.write_bytes(code("[1, 0]"))
    plant.publish(1, code())
    plant.start(plant.file)
    assert plant.ensure().state == "failed"
    plant.file.write_bytes(code())
    assert plant.ensure().state == "serving"


def test_a_missing_package_is_mended_when_it_is_installed(plant, tmp_path, monkeypatch):
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.syspath_prepend(str(packages))
    plant.file.write_bytes(code(first="    # a comment"))
    source = plant.file.read_bytes().replace(b"self.text =", b"import installed_later; self.text =")
    plant.file.write_bytes(source)
    plant.publish(1, source)
    plant.start(plant.file)
    status = plant.ensure()
    assert "No module named 'installed_later'" in status.reason
    assert plant.ensure().state == "failed"
    (packages / "installed_later.py").write_text("")
    assert plant.ensure().state == "serving"
    sys.modules.pop("installed_later")


def test_no_memory_is_tried_again_at_the_next_start_and_nonsense_is_not(plant):
    for version, (text, again) in enumerate(
        {"raise MemoryError('no room')": True, "raise RuntimeError('CUDA out of memory')": True,
         "raise ValueError('nonsense')": False}.items(), start=1,
    ):  # fmt: skip
        source = code(first=f"# {version}").replace(b"self.text =", text.encode() + b"\n        self.text =")
        plant.file.write_bytes(source)
        plant.publish(version, source)
        plant.start(plant.file)
        assert plant.ensure().failed_version == version
        plant.start(plant.file)
        plant.slot.restore()
        assert (plant.slot._state.failed is None) is again, text


def test_who_asks_for_a_refused_model_again_makes_the_edge_try_again(plant):
    plant.publish(1, None)  # no module is named, and nothing is registered
    plant.start()
    assert plant.ensure(asked=None).failed_version == 1
    ClassFactory.register_cls(Registered, alias="OfAUser")
    assert plant.ensure(asked=None).state == "failed", "nobody has asked, nothing has changed that it could see"
    assert plant.ensure(asked=7).state == "serving"


class Registered:
    """Registered by the program around the edge."""

    def load(self, model_url):
        pass

    def predict(self, data):
        return [[0.5, 0.5] for _ in data]


def test_a_failure_is_not_told_any_more_once_the_model_is_asked_for_again(plant):
    plant.publish(1, code())
    plant.start()
    assert plant.ensure(asked=3).failed_version == 1
    plant.slot.asked = 4  # as the heartbeat's answer sets it, whatever the slot's thread is busy with
    assert (plant.slot.status.failed_version, plant.slot.status.state) == (None, "empty")
    assert plant.ensure(asked=4).failed_version == 1


def test_the_state_of_an_earlier_release_is_worth_another_try(plant):
    plant.publish(1, code())
    plant.start().ensure()
    path = plant.folder / "edge" / "jobs" / "default" / "pcb" / "slot.json"
    failed = {"id": {"version": 1, "manifest_sha256": plant.desired.manifest_sha256}, "reason": "of an earlier release"}
    path.write_text(json.dumps({"current": None, "previous": None, "failed": failed}))
    plant.file.write_bytes(code())
    plant.start(plant.file)
    plant.slot.restore()
    assert plant.ensure().state == "serving"
