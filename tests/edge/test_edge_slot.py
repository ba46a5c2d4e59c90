import json
import resource
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from edge.edge_twins import JOB, MemoryLink, make_classifier, manifest_of, png
from sedna.common.errors import AuthError, LinkUnavailableError, ModelError, StorageFullError
from sedna.common.types import Box, Prediction
from sedna.edge.lease import NoModelError
from sedna.edge.selftest import GoldenSample, SelfTest
from sedna.edge.slot import ModelSlot

PIXELS = np.zeros((8, 8, 3), np.uint8)


class Setting:
    """A link with models, and slots on one folder."""

    def __init__(self, tmp_path):
        self.link = MemoryLink()
        self.tmp_path = tmp_path
        self.opened: list[RecordingRuntime] = []

    def publish(self, version: int, **changes):
        folder = self.tmp_path / f"published-{version}"
        manifest = make_classifier(folder, version)
        if changes:
            manifest = manifest.model_copy(update=changes)
        return self.link.publish(manifest, folder)

    def slot(self, opener=None) -> ModelSlot:
        return ModelSlot(JOB, self.tmp_path / "slot", self.link, opener)

    def recording(self, folder, manifest):
        runtime = RecordingRuntime(manifest.version)
        self.opened.append(runtime)
        return runtime


class RecordingRuntime:
    """Answers its version as the label, and knows if it was used after it was closed."""

    def __init__(self, version: int):
        self.version = version
        self.closed = 0
        self.broken = False
        self.misused = False

    def predict(self, images):
        self.misused |= self.closed > 0
        if self.broken:
            raise ModelError("broken")
        time.sleep(0.0005)
        self.misused |= self.closed > 0
        return [Prediction(label=self.version) for _ in images]

    def close(self):
        self.closed += 1


@pytest.fixture
def setting(tmp_path):
    return Setting(tmp_path)


def ensure(slot: ModelSlot, desired) -> bool:
    return slot.ensure(desired.model_version, desired.manifest_sha256)


def served(slot: ModelSlot) -> int:
    with slot.lease() as model:
        return model.runtime.predict([PIXELS])[0].label


def test_empty_until_the_first_model_and_never_before_it_works(setting):
    slot = setting.slot()
    assert slot.status.state == "empty"
    with pytest.raises(NoModelError), slot.lease():
        pass
    assert not slot.ensure(None, None)
    assert ensure(slot, setting.publish(1))
    assert (slot.status.state, slot.status.version) == ("serving", 1)
    assert served(slot) == 1
    assert not ensure(slot, setting.publish(1))


def test_a_better_model_takes_over_and_the_old_one_stays_on_the_disk(setting, tmp_path):
    slot = setting.slot()
    for version in (1, 2, 3):
        assert ensure(slot, setting.publish(version))
    assert served(slot) == 3
    kept = sorted(path.name.partition("-")[0] for path in (tmp_path / "slot" / "models").iterdir())
    assert kept == ["2", "3"]


def test_a_restart_without_a_network_serves_the_last_good_model(setting):
    slot = setting.slot()
    ensure(slot, setting.publish(1))
    ensure(slot, setting.publish(2))
    slot.close()
    setting.link.offline = True
    again = setting.slot()
    again.restore()
    assert (again.status.state, served(again)) == ("serving", 2)


def test_a_restart_falls_back_to_the_model_before_if_the_last_one_is_damaged(setting, tmp_path):
    slot = setting.slot()
    ensure(slot, setting.publish(1))
    ensure(slot, setting.publish(2))
    (path,) = (tmp_path / "slot" / "models").glob("2-*/files/model.onnx")
    path.write_bytes(b"rot")
    again = setting.slot()
    again.restore()
    assert (served(again), "sha256" in again.status.reason) == (1, True)
    assert ensure(again, setting.publish(2))
    assert served(again) == 2


@pytest.mark.parametrize("content", ["{", '{"current": 5}'])
def test_an_unreadable_state_waits_for_the_cloud(setting, tmp_path, content):
    (tmp_path / "slot").mkdir()
    (tmp_path / "slot" / "slot.json").write_text(content)
    slot = setting.slot()
    slot.restore()
    assert slot.status.state == "empty"
    assert ensure(slot, setting.publish(1))


def test_a_model_that_cannot_be_opened_is_given_up_and_not_tried_again(setting, tmp_path):
    slot = setting.slot()
    ensure(slot, setting.publish(1))
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"this is no graph")
    bad = setting.link.publish(manifest_of(folder, 2), folder)
    assert not ensure(slot, bad)
    assert (slot.status.version, slot.status.failed_version) == (1, 2)
    assert "cannot be opened" in slot.status.reason
    assert served(slot) == 1
    del setting.link.models[JOB, 2]
    assert not ensure(slot, bad)
    assert slot.status.failed_version == 2
    again = setting.slot()
    again.restore()
    assert (again.status.version, again.status.failed_version) == (1, 2)


def test_a_failed_version_is_tried_again_when_its_manifest_changes(setting, tmp_path):
    slot = setting.slot()
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"this is no graph")
    assert not ensure(slot, setting.link.publish(manifest_of(folder, 2), folder))
    assert slot.status.state == "failed"
    assert ensure(slot, setting.publish(2))
    assert (slot.status.state, slot.status.failed_version) == ("serving", None)


def test_a_failure_is_forgotten_when_something_else_is_wanted(setting, tmp_path):
    slot = setting.slot()
    good = setting.publish(1)
    ensure(slot, good)
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"this is no graph")
    ensure(slot, setting.link.publish(manifest_of(folder, 2), folder))
    assert not ensure(slot, good)
    assert (slot.status.failed_version, slot.status.reason) == (None, "")


def test_wrong_bytes_never_get_into_service(setting, tmp_path):
    slot = setting.slot()
    ensure(slot, setting.publish(1))
    desired = setting.publish(2)
    path = setting.link.models[JOB, 2][1] / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert not ensure(slot, desired)
    assert (served(slot), slot.status.version, slot.status.failed_version) == (1, 1, 2)
    assert "sha256" in slot.status.reason


def test_bytes_damaged_on_the_way_once_are_fetched_again(setting):
    setting.link.damaged_downloads = 1
    slot = setting.slot()
    assert ensure(slot, setting.publish(1))
    assert served(slot) == 1


@pytest.mark.parametrize("wrong", ["job", "version", "hash"])
def test_a_manifest_of_something_else_is_refused(setting, wrong):
    desired = setting.publish(1)
    manifest, folder = setting.link.models[JOB, 1]
    changed = {
        "job": {"job": JOB.model_copy(update={"name": "other"})},
        "version": {"version": 7},
        "hash": {"note": "changed"},
    }[wrong]
    setting.link.models[JOB, 1] = (manifest.model_copy(update=changed), folder)
    slot = setting.slot()
    assert not ensure(slot, desired)
    assert slot.status.state == "failed"


@pytest.mark.parametrize("error", [LinkUnavailableError("gone"), AuthError("401")])
def test_a_model_that_cannot_be_fetched_now_is_not_given_up(setting, error):
    slot = setting.slot()
    ensure(slot, setting.publish(1))
    desired = setting.publish(2)

    def fail(job, version):
        raise error

    original, setting.link.model_manifest = setting.link.model_manifest, fail
    with pytest.raises(type(error)):
        ensure(slot, desired)
    assert (slot.status.state, slot.status.version, slot.status.failed_version) == ("serving", 1, None)
    assert "cannot be fetched now" in slot.status.reason
    setting.link.model_manifest = original
    assert ensure(slot, desired)
    assert (served(slot), slot.status.reason) == (2, "")


def with_self_test(setting, tmp_path, prediction: Prediction):
    folder = tmp_path / "golden"
    make_classifier(folder, 2)
    (folder / "golden.png").write_bytes(png())
    test = SelfTest(samples=(GoldenSample(image="golden.png", prediction=prediction),))
    (folder / "selftest.json").write_text(test.model_dump_json())
    return setting.link.publish(manifest_of(folder, 2), folder)


def probabilities(winner: int) -> tuple[float, ...]:
    values = np.exp(np.eye(32)[winner] * 10)
    return tuple((values / values.sum()).tolist())


def test_golden_samples_must_be_answered_as_when_the_model_was_made(setting, tmp_path):
    slot = setting.slot()
    assert ensure(slot, with_self_test(setting, tmp_path, Prediction(probabilities=probabilities(2), label=2)))


def test_other_answers_to_golden_samples_are_a_failure(setting, tmp_path):
    slot = setting.slot()
    assert not ensure(slot, with_self_test(setting, tmp_path, Prediction(probabilities=probabilities(3), label=3)))
    assert "golden.png differently" in slot.status.reason


def test_boxes_where_probabilities_were_expected_are_a_failure(setting, tmp_path):
    box = Box(x1=0, y1=0, x2=4, y2=4, label=0, score=0.9)
    assert not ensure(setting.slot(), with_self_test(setting, tmp_path, Prediction(boxes=(box,))))


def test_a_model_with_other_classes_than_its_manifest_fails(setting):
    slot = setting.slot()
    assert not ensure(slot, setting.publish(1, class_names=("one", "two")))
    assert "label 1" not in slot.status.reason
    assert "32 probabilities, but has 2 classes" in slot.status.reason


def test_a_model_that_fails_requests_makes_way_for_the_one_before(setting):
    slot = setting.slot(setting.recording)
    ensure(slot, setting.publish(1))
    bad = setting.publish(2)
    ensure(slot, bad)
    setting.opened[-1].broken = True
    for _ in range(3):
        with slot.lease() as model, pytest.raises(ModelError) as caught:
            model.runtime.predict([PIXELS])
        slot.failed(model, caught.value)
    assert (served(slot), slot.status.failed_version) == (1, 2)
    assert "3 requests in a row" in slot.status.reason
    assert setting.opened[1].closed == 1
    assert not ensure(slot, bad)
    again = setting.slot(setting.recording)
    again.restore()
    assert (served(again), again.status.failed_version) == (1, 2)


def test_a_failure_now_and_then_is_no_reason_to_go_back(setting):
    slot = setting.slot(setting.recording)
    ensure(slot, setting.publish(1))
    ensure(slot, setting.publish(2))
    with slot.lease() as model:
        for _ in range(5):
            slot.failed(model, ModelError("once"))
            slot.failed(model, ModelError("twice"))
            slot.worked(model)
    assert served(slot) == 2


def test_the_first_model_has_nothing_to_go_back_to(setting):
    slot = setting.slot(setting.recording)
    ensure(slot, setting.publish(1))
    with slot.lease() as model:
        for _ in range(4):
            slot.failed(model, ModelError("broken"))
    assert slot.status.version == 1


def test_steady_requests_through_twenty_swaps(setting):
    slot = setting.slot(setting.recording)
    ensure(slot, setting.publish(1))
    desired = [setting.publish(version) for version in range(2, 22)]
    stop = threading.Event()
    answers: list[tuple[int, list[int]]] = []

    def client() -> None:
        while not stop.is_set():
            with slot.lease() as model:
                predictions = model.runtime.predict([PIXELS, PIXELS])
            answers.append((model.id.version, [prediction.label for prediction in predictions]))

    with ThreadPoolExecutor(6) as pool:
        clients = [pool.submit(client) for _ in range(6)]
        for wanted in desired:
            assert ensure(slot, wanted)
            before = len(answers)
            deadline = time.monotonic() + 10
            while len(answers) < before + 12 and time.monotonic() < deadline:
                time.sleep(0.001)
        stop.set()
        assert [one.result() for one in clients] == [None] * 6
    assert all(labels == [version, version] for version, labels in answers)
    assert {version for version, _ in answers} >= set(range(2, 22))
    assert [runtime.version for runtime in setting.opened] == list(range(1, 22))
    assert [runtime.closed for runtime in setting.opened] == [1] * 20 + [0]
    assert not any(runtime.misused for runtime in setting.opened)
    slot.close()
    assert setting.opened[-1].closed == 1


def test_the_state_file_says_what_is_served(setting, tmp_path):
    slot = setting.slot()
    ensure(slot, setting.publish(1))
    desired = setting.publish(2)
    ensure(slot, desired)
    state = json.loads((tmp_path / "slot" / "slot.json").read_text())
    assert state["current"] == {"version": 2, "manifest_sha256": desired.manifest_sha256}
    assert state["previous"]["version"] == 1


def test_a_full_disk_keeps_the_old_model_and_tries_again(setting, tmp_path):
    slot = setting.slot(setting.recording)
    ensure(slot, setting.publish(1))
    desired = setting.publish(2)
    program_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, program_limit[1]))
    try:
        with pytest.raises(StorageFullError):
            ensure(slot, desired)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, program_limit)
        signal.signal(signal.SIGXFSZ, before)
    assert (served(slot), slot.status.failed_version) == (1, None)
    assert ensure(slot, desired)
    assert served(slot) == 2


def test_a_reason_stays_short_enough_for_a_heartbeat(setting, tmp_path):
    def opener(folder, manifest):
        raise ModelError("missing weights: " + ", ".join(f"layer{number}.weight" for number in range(100_000)))

    slot = setting.slot(opener)
    ensure(slot, setting.publish(1))
    assert slot.status.failed_version == 1
    assert slot.status.reason.startswith("missing weights: layer0.weight")
    assert len(slot.status.reason) < 3000


def test_models_that_were_given_up_do_not_pile_up_on_the_disk(setting):
    def opener(folder, manifest):
        if manifest.version > 2:
            raise ModelError("no")
        return setting.recording(folder, manifest)

    slot = setting.slot(opener)
    for version in range(1, 8):
        ensure(slot, setting.publish(version))
    assert (slot.status.version, slot.status.failed_version) == (2, 7)
    kept = sorted(path.name.partition("-")[0] for path in (slot._folder / "models").iterdir())
    assert kept == ["1", "2"]
    again = setting.slot(opener)
    again.restore()
    assert again.status.version == 2
