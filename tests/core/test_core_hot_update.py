import gc
import hashlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sedna.common.errors import SpecError
from sedna.core.base import ModelLoadingThread
from sedna.core.incremental_learning import IncrementalLearning


class Number:
    made = 0

    def __init__(self):
        type(self).made += 1
        self.number = -1

    def load(self, model_url):
        self.number = -2  # a failed load leaves traces
        self.number = int(Path(model_url).read_text())

    def predict(self, data):
        return self.number


@pytest.fixture
def offer(tmp_path):
    """Offers a model as the platform does."""
    folder = tmp_path / "model-hot-update"
    folder.mkdir()

    def write(content, version, sha256=None, name="m.pb"):
        (folder / name).write_text(str(content))
        config = {"model_path": str(folder / name), "model_update_time": version}
        if sha256:
            config["sha256"] = sha256
        (folder / "model_config.json").write_text(json.dumps({"model_config": config}))

    write.folder = folder
    return write


@pytest.fixture
def make_job(worker_env, lc, tmp_path, offer):
    """A job under hot update whose thread polls only when the test says so."""
    (tmp_path / "deploy.pb").write_text("1")
    worker_env(
        MODEL_HOT_UPDATE="true",
        MODEL_POLL_PERIOD_SECONDS="3600",
        MODEL_HOT_UPDATE_CONFIG=offer.folder / "model_config.json",
        MODEL_URL=tmp_path / "deploy.pb",
        LC_SERVER=lc.url,
        WORKER_NAME="inferworker-abcde",
    )
    jobs = []

    def make(estimator=Number):
        job = IncrementalLearning(estimator)
        jobs.append(job)
        return job

    yield make
    for job in jobs:
        job.model_loading.stop()
        job.model_loading.join()
        job.model_loading.cleanup()


def answer(job):
    return job.inference("frame")[0]


class WithTwin(Number):
    def load(self, model_url):
        self.number = Path(model_url).with_suffix(".twin").read_text()


def test_files_beside_the_model_come_with_it(make_job, offer):
    (offer.folder / "m.twin").write_text("beside")
    offer(2, "v2")
    job = make_job(WithTwin)
    assert job.model_loading.poll()
    (offer.folder / "m.twin").unlink()
    assert answer(job) == "beside"
    assert sorted(path.name for path in Path(job.model_loading.copies).rglob("m.*")) == ["m.pb", "m.twin"]


def statuses(lc):
    return [(report["kind"], report["status"]) for report in lc.reports]


KINDS = {"class": lambda: Number, "instance": Number}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["ITSELF", "TENSORFLOW"])
def test_a_new_model_is_loaded_and_reported_once(make_job, worker_env, offer, lc, kind, backend):
    worker_env(BACKEND_TYPE=backend)
    job = make_job(KINDS[kind]())
    assert answer(job) == 1
    assert not job.model_loading.poll()
    offer(2, "v2")
    assert job.model_loading.poll()
    assert answer(job) == 2
    assert not job.model_loading.poll()
    assert statuses(lc) == [("deploy", "completed")]
    assert lc.reports[0]["name"] == "inferworker-abcde"
    assert lc.reports[0]["ownerKind"] == "incrementallearningjob"
    assert "results" not in lc.reports[0]
    offer(3, "v3")
    assert job.model_loading.poll()
    assert answer(job) == 3
    assert len(statuses(lc)) == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["ITSELF", "TENSORFLOW"])
@pytest.mark.parametrize("updated_before", [False, True])
def test_a_model_that_cannot_be_opened_leaves_the_old_one(
    make_job, worker_env, offer, lc, kind, backend, updated_before
):
    worker_env(BACKEND_TYPE=backend)
    job = make_job(KINDS[kind]())
    assert answer(job) == 1
    expected = 1
    if updated_before:
        offer(2, "v2")
        job.model_loading.poll()
        lc.reports.clear()
        expected = 2
    offer("no number", "v3", name="broken.pb")
    for _ in range(2):
        assert not job.model_loading.poll()
        assert answer(job) == expected
        assert statuses(lc) == []
    for _ in range(3):
        assert not job.model_loading.poll()
        assert answer(job) == expected
        assert statuses(lc) == [("deploy", "failed")]
    assert lc.reports[0]["ownerInfo"]["error"]["type"] == "ValueError"
    offer(4, "v4")
    assert job.model_loading.poll()
    assert answer(job) == 4


def test_a_model_that_is_whole_at_the_second_look_is_taken(make_job, offer, lc):
    job = make_job()
    offer("half a fi", "v2")
    assert not job.model_loading.poll()
    offer(2, "v2")
    assert job.model_loading.poll()
    assert statuses(lc) == [("deploy", "completed")]


def test_the_hash_is_verified(make_job, offer, lc):
    job = make_job()
    right = hashlib.sha256(b"2").hexdigest()
    offer(3, "v2", sha256=right)
    for _ in range(3):
        assert not job.model_loading.poll()
    assert answer(job) == 1
    assert lc.reports[0]["ownerInfo"]["error"]["type"] == "IntegrityError"
    offer(2, "v3", sha256=right)
    assert job.model_loading.poll()
    assert answer(job) == 2


def test_a_missing_model_is_a_failure(make_job, offer, lc):
    job = make_job()
    offer(2, "v2")
    (offer.folder / "m.pb").unlink()
    for _ in range(3):
        assert not job.model_loading.poll()
    assert lc.reports[0]["ownerInfo"]["error"]["type"] == "NotFoundError"


def test_a_model_folder(make_job, offer):
    class Folder(Number):
        def load(self, model_url):
            path = Path(model_url)
            super().load(path / "n" if path.is_dir() else path)

    job = make_job(Folder)
    (offer.folder / "saved").mkdir()
    (offer.folder / "saved" / "n").write_text("5")
    offer(0, "v2")
    config = {"model_config": {"model_path": str(offer.folder / "saved"), "model_update_time": "v2"}}
    (offer.folder / "model_config.json").write_text(json.dumps(config))
    assert job.model_loading.poll()
    assert answer(job) == 5


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model_config": {"model_path": "/x"}}', '{"model_config": 3}'])
def test_an_unreadable_offer_changes_nothing(make_job, offer, lc, text):
    job = make_job()
    (offer.folder / "model_config.json").write_text(text)
    assert not job.model_loading.poll()
    assert answer(job) == 1
    assert lc.reports == []


def test_a_restart_loads_the_model_again_and_reports_nothing(make_job, offer, lc):
    offer(2, "v2")
    first = make_job()
    assert first.model_loading.poll()
    assert statuses(lc) == [("deploy", "completed")]
    second = make_job()
    assert second.model_loading.poll()
    assert answer(second) == 2
    assert statuses(lc) == [("deploy", "completed")]
    offer("broken", "v3")
    for _ in range(3):
        second.model_loading.poll()
    third = make_job()
    for _ in range(4):
        assert not third.model_loading.poll()
    assert statuses(lc) == [("deploy", "completed"), ("deploy", "failed")]


def test_a_report_that_did_not_arrive_is_sent_at_a_later_poll(make_job, offer, lc):
    job = make_job()
    offer(2, "v2")
    lc.statuses = [400, 400]
    assert job.model_loading.poll()
    assert answer(job) == 2
    assert not job.model_loading.poll()
    assert statuses(lc) == []
    assert not (offer.folder / "model_config.json.applied").exists()
    assert not job.model_loading.poll()
    assert not job.model_loading.poll()
    assert statuses(lc) == [("deploy", "completed")]


def test_a_folder_that_cannot_be_written_is_only_a_second_report(make_job, offer, lc):
    job = make_job()
    offer(2, "v2")
    (offer.folder / "model_config.json.applied").mkdir()
    assert job.model_loading.poll()
    assert statuses(lc) == [("deploy", "completed")]
    assert not job.model_loading.poll()
    assert make_job().model_loading.poll()
    assert len(lc.reports) == 2


def test_old_copies_are_deleted(make_job, offer, tmp_path):
    job = make_job()
    for number in range(2, 7):
        offer(number, f"v{number}")
        assert job.model_loading.poll()
    copies = [path for path in Path(job.model_loading.copies).rglob("*") if path.is_file()]
    assert [path.read_text() for path in copies] == ["6"]


@pytest.mark.parametrize("backend", ["ITSELF", "TENSORFLOW"])
def test_every_answer_is_of_one_whole_model(make_job, worker_env, offer, backend):
    """Predictions run all the time while models are replaced; none sees a half-loaded one."""
    worker_env(BACKEND_TYPE=backend)
    job = make_job()
    answers: set[int] = set()
    stop = threading.Event()
    errors: list[BaseException] = []

    def predict():
        try:
            while not stop.wait(0.001):
                answers.add(answer(job))
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(2, 16):
        offer("broken" if number % 5 == 0 else number, f"v{number}")
        job.model_loading.poll()
    stop.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert answers <= set(range(1, 16))


def test_a_class_gets_a_second_instance_and_the_old_one_goes(make_job, offer):
    Number.made = 0
    job = make_job(Number)
    assert answer(job) == 1
    old = job.estimator
    offer(2, "v2")
    job.model_loading.poll()
    assert Number.made == 2
    assert job.estimator is not old
    assert old.estimator.number == 1
    del old
    gc.collect()


def test_settings(worker_env, offer):
    worker_env(MODEL_HOT_UPDATE="true")
    with pytest.raises(SpecError, match="MODEL_HOT_UPDATE_CONFIG"):
        IncrementalLearning(Number)
    worker_env(MODEL_HOT_UPDATE_CONFIG=offer.folder / "c.json", MODEL_POLL_PERIOD_SECONDS="often")
    with pytest.raises(SpecError, match="MODEL_POLL_PERIOD_SECONDS"):
        IncrementalLearning(Number)
    worker_env(MODEL_HOT_UPDATE="false")
    job = IncrementalLearning(Number)
    assert job.model_loading is None
    worker_env(MODEL_POLL_PERIOD_SECONDS="0")
    thread = ModelLoadingThread(job, Number)
    assert (thread.period, thread.daemon) == (60, True)
    thread.cleanup()


PROGRAM = """
from sedna.core.incremental_learning import IncrementalLearning
class Number:
    def load(self, model_url):
        self.number = int(open(model_url).read())
    def predict(self, data):
        return self.number
job = IncrementalLearning(Number)
while job.inference("x")[0] != 2:
    pass
print("updated")
"""


def test_the_thread_works_and_lets_the_process_end(process_env, offer, lc, tmp_path):
    (tmp_path / "deploy.pb").write_text("1")
    offer(2, "v2")
    environment = process_env | {
        "MODEL_HOT_UPDATE": "true",
        "MODEL_POLL_PERIOD_SECONDS": "1",
        "MODEL_HOT_UPDATE_CONFIG": str(offer.folder / "model_config.json"),
        "MODEL_URL": str(tmp_path / "deploy.pb"),
        "LC_SERVER": lc.url,
        "BACKEND_TYPE": "ITSELF",
    }
    environment.pop("PYTHONWARNINGS")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "updated\n"
