"""What a crash, a power cut or a bad disk may leave behind, and what opening makes of it."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.edge_twins import JOB, png, record_of
from sedna.common.types import Picked, sample_id
from sedna.edge.spool import Spool, SpoolState

WRITER = """
import sys
from pathlib import Path
from edge.edge_twins import png, record_of
from sedna.edge.spool import Spool
spool = Spool(Path(sys.argv[1]))
for seed in range(int(sys.argv[2]), 10_000_000):
    data = png(seed)
    if spool.add(record_of(data), data):
        print(record_of(data).sample_id, flush=True)
    if seed % 3 == 0:
        entry = spool.claim()
        spool.done(entry)
        print("-" + entry.record.sample_id, flush=True)
"""


def kept(folder: Path) -> Path:
    return folder / "images" / JOB.namespace / JOB.name


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    acknowledged, uploaded = set(), set()
    for turn in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(turn * 100_000)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        lines = [writer.stdout.readline() for _ in range(5 + 7 * turn)]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.communicate()[0].splitlines()
        names = [line.strip() for line in lines]
        acknowledged |= {name for name in names if len(name) == 64}
        uploaded |= {name[1:] for name in names if len(name) == 65}
        with Spool(tmp_path) as spool:
            waiting = {entry.record.sample_id: entry.path.read_bytes() for entry in spool.pending()}
            counts = spool.counts(JOB)
            assert all(spool._index.find(JOB, name) is not None for name in acknowledged)
        assert all(sample_id(data) == name for name, data in waiting.items())
        assert {path.stem for path in kept(tmp_path).iterdir()} == set(waiting)
        assert counts.damaged == 0
        assert counts.spooled - counts.uploaded == len(waiting)
        assert counts.uploaded - len(uploaded) in range(turn + 2)  # killed after the commit, before the line
        assert waiting.keys().isdisjoint(uploaded)
    assert len(acknowledged) >= 40


def test_a_file_without_a_row_is_removed(tmp_path):
    with Spool(tmp_path) as spool:
        spool.add(record_of(png(0)), png(0))
    orphan = kept(tmp_path) / f"{sample_id(png(1))}.png"
    torn = kept(tmp_path) / ".x.png.0123456789abcdef.sedna-tmp"
    foreign = tmp_path / "images" / "note.txt"
    for path in (orphan, torn, foreign):
        path.write_bytes(b"half")
    with Spool(tmp_path) as spool:
        assert not any(path.exists() for path in (orphan, torn, foreign))
        assert len(list(spool.pending())) == 1


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_row_whose_file_is_gone_or_torn_is_damaged(tmp_path, damage):
    with Spool(tmp_path) as spool:
        spool.add(record_of(png(0)), png(0))
        spool.add(record_of(png(1)), png(1))
        path = next(spool.pending()).path
    path.unlink() if damage == "missing" else path.write_bytes(b"half")
    with Spool(tmp_path) as spool:
        assert [entry.path.read_bytes() for entry in spool.pending()] == [png(1)]
        (refused,) = spool.refused()
        assert refused.state is SpoolState.DAMAGED
        assert ("gone" if damage == "missing" else "4 bytes instead of") in refused.reason
        assert spool.counts(JOB).damaged == 1


def test_a_move_that_was_interrupted_is_finished(tmp_path):
    with Spool(tmp_path) as spool:
        spool.add(record_of(png(0)), png(0))
        entry = spool.claim()
        spool.reject(entry, "no")
        (refused,) = spool.refused()
        refused.path.replace(entry.path)
    with Spool(tmp_path) as spool:
        assert not entry.path.exists()
        assert next(spool.refused()).path.read_bytes() == png(0)


def test_an_upload_whose_file_was_not_yet_deleted_is_finished(tmp_path):
    with Spool(tmp_path) as spool:
        spool.add(record_of(png(0)), png(0))
        entry = spool.claim()
        spool.done(entry)
    entry.path.write_bytes(png(0))
    with Spool(tmp_path) as spool:
        assert not entry.path.exists()
        assert spool.claim() is None


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b""])
def test_a_damaged_index_is_set_aside_with_its_images(tmp_path, content, caplog):
    with Spool(tmp_path) as spool:
        spool.add(record_of(png(0)), png(0))
    (tmp_path / "index.sqlite3").write_bytes(content)
    with Spool(tmp_path) as spool:
        assert list(spool.pending()) == []
        assert spool.add(record_of(png(0)), png(0))
    (aside,) = tmp_path.glob("damaged-*")
    assert [path.read_bytes() for path in aside.rglob("*.png")] == [png(0)]
    assert "1 images were moved" in caplog.text


def test_a_full_disk_loses_nothing_and_inference_can_go_on(tmp_path):
    program = """
import resource, signal, sys
from pathlib import Path
from edge.edge_twins import png, record_of
from sedna.common.errors import StorageFullError
from sedna.edge.spool import Spool
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path(sys.argv[1]))
small = png(0)
spool.add(record_of(small), small)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
big = png(1, 64, 64)
for data in (big, png(2)):  # too large for one file; then a file that fits and an index that does not
    try:
        spool.add(record_of(data), data)
    except StorageFullError as error:
        print("full:", error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.add(record_of(big), big)
print(spool.counts(record_of(big).job).dropped, len(list(spool.pending())))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("full:") == 2
    assert done.stdout.splitlines()[-1] == "2 2"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


class SpoolMachine(RuleBasedStateMachine):
    """The spool against a plain model of it, with crashes (a second look at a copy of the disk) in between."""

    def __init__(self):
        super().__init__()
        import tempfile

        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name) / "spool"
        self.spool = Spool(self.folder)
        self.waiting: dict[str, Picked] = {}
        self.gone: set[str] = set()
        self.refused: set[str] = set()

    def teardown(self):
        self.spool.close()
        self.temporary.cleanup()

    @rule(seed=st.integers(0, 12), picked=st.sampled_from([Picked.HARD, Picked.AUDIT]))
    def add(self, seed, picked):
        data = png(seed)
        record = record_of(data, picked)
        new = self.spool.add(record, data)
        assert new == (record.sample_id not in {*self.waiting, *self.gone, *self.refused})
        if new:
            self.waiting[record.sample_id] = picked

    @rule(end=st.sampled_from(["done", "reject", "retry", "release"]))
    def upload(self, end):
        entry = self.spool.claim()
        assert (entry is None) == (not self.waiting)
        if entry is None:
            return
        name = entry.record.sample_id
        assert sample_id(entry.path.read_bytes()) == name
        getattr(self.spool, end)(entry, *(["no"] if end == "reject" else []))
        if end in ("done", "reject"):
            del self.waiting[name]
            (self.gone if end == "done" else self.refused).add(name)

    @rule()
    def requeue(self):
        assert self.spool.requeue_rejected() == len(self.refused)
        self.waiting.update(dict.fromkeys(self.refused, Picked.HARD))
        self.refused.clear()

    @rule()
    def crash(self):
        """Only what is on the disk survives: the new spool reads it, the old one never closes properly."""
        import shutil

        copy = self.folder.with_name(self.folder.name + "x")
        shutil.copytree(self.folder, copy)
        self.spool.close()
        shutil.rmtree(self.folder)
        self.folder = copy
        self.spool = Spool(copy)

    @invariant()
    def agrees(self):
        assert {entry.record.sample_id for entry in self.spool.pending()} == set(self.waiting)
        assert {sample.record.sample_id for sample in self.spool.refused()} == self.refused
        on_disk = {path.stem for path in self.folder.rglob("*.png")}
        assert on_disk == {*self.waiting, *self.refused}
        assert self.spool.stats().pending == len(self.waiting)
        assert self.spool.counts(JOB).uploaded == len(self.gone)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
