"""Results count when their manifest is there; everything else below a prefix is nothing."""

import json
import time

import pytest

from sedna.common.errors import DataError, IntegrityError, StoreUnavailableError
from sedna.core.staging import load_result, store_result
from sedna.core.staging.stage_in import read_checkpoints
from sedna.core.staging.stage_out import (
    CheckpointKeeper,
    load_end,
    load_failure,
    store_end,
    store_failure,
)
from sedna.store import FolderStore


def report(order, *results, status="completed"):
    return {"name": order.worker, "kind": order.kind, "status": status, "results": list(results)}


@pytest.fixture
def trained(orders, folder):
    """A training whose output is there."""
    folder.output.mkdir(parents=True)
    folder.checkpoints.mkdir()
    (folder.output / "net.bin").write_bytes(b"better weights")
    (folder.output / "net.onnx").write_bytes(b"graph")
    return orders.make()


def test_a_result_brings_every_file_and_says_which_is_the_model(orders, folder, trained):
    told = report(trained, {"format": "bin", "url": str(folder.output / "net.bin"), "metrics": {"loss": 0.5}},
                  {"format": "ckpt", "url": str(folder.output)})  # fmt: skip
    made = store_result(trained, orders.store, folder, told)
    assert made == load_result(orders.store, trained.prefix)
    assert {file.name: orders.store.get(file.key) for file in made.output} == {
        "net.bin": b"better weights", "net.onnx": b"graph",
    }  # fmt: skip
    assert (made.entry, made.forms, made.report) == ("net.bin", {"bin": "net.bin", "ckpt": ""}, told)


def test_a_model_elsewhere_is_none_of_the_output(orders, folder, trained, tmp_path):
    (tmp_path / "elsewhere.bin").write_bytes(b"x")
    told = report(trained, {"format": "bin", "url": str(tmp_path / "elsewhere.bin")})
    made = store_result(trained, orders.store, folder, told)
    assert (made.entry, made.forms) == ("", {})


def test_the_first_result_stays(orders, folder, trained):
    first = store_result(trained, orders.store, folder, report(trained, {"metrics": {"loss": 1}}))
    (folder.output / "net.bin").write_bytes(b"other weights")
    assert store_result(trained, orders.store, folder, report(trained, {"metrics": {"loss": 2}})) == first
    assert load_result(orders.store, trained.prefix) == first


def test_an_evaluation_has_no_output(orders, folder):
    order = orders.make("eval")
    folder.output.mkdir(parents=True)
    (folder.output / "debris").write_bytes(b"x")
    assert store_result(order, orders.store, folder, report(order)).output == ()


def test_no_output_is_a_result_without_files(orders, folder):
    folder.output.mkdir(parents=True)
    order = orders.make()
    assert store_result(order, orders.store, folder, report(order)).output == ()


def test_links_are_no_output(orders, folder, trained):
    (folder.output / "latest").symlink_to(folder.output / "net.bin")
    with pytest.raises(DataError, match="plain files"):
        store_result(trained, orders.store, folder, report(trained))
    assert load_result(orders.store, trained.prefix) is None


class Dying(FolderStore):
    """A store whose machine goes down after some writes."""

    left = 10**9

    def put_if_absent(self, key, data):
        if self.left == 0:
            raise StoreUnavailableError("down")
        self.left -= 1
        return super().put_if_absent(key, data)


def test_whatever_breaks_off_in_the_middle_is_no_result(orders, folder, trained):
    told = report(trained, {"url": str(folder.output / "net.bin")})
    for writes in range(3):
        store = Dying(orders.store.root)
        store.left = writes
        with pytest.raises(StoreUnavailableError):
            store_result(trained, store, folder, told)
        assert load_result(orders.store, trained.prefix) is None
    assert store_result(trained, orders.store, folder, told).entry == "net.bin"


@pytest.mark.parametrize(("load", "name"), [(load_result, "result"), (load_end, "end"), (load_failure, "failure")])
def test_a_damaged_note_is_told_and_a_missing_one_is_none(orders, load, name):
    order = orders.make()
    assert load(orders.store, order.prefix) is None
    orders.store.put(f"{order.prefix}{name}.json", b'{"half')
    with pytest.raises(IntegrityError, match=f"{name}.json"):
        load(orders.store, order.prefix)


def test_end_and_failure_are_those_of_the_last_start(orders):
    order = orders.make()
    for code in (75, 0):
        store_end(order, orders.store, code)
        store_failure(order, orders.store, report(order, status=f"failed with {code}"))
    assert load_end(orders.store, order.prefix).exit_code == 0
    assert load_failure(orders.store, order.prefix)["status"] == "failed with 0"


# --- checkpoints ---------------------------------------------------------------------------------------------------


def stored(orders, order):
    return {file.name: orders.store.get(file.key) for file in read_checkpoints(orders.store, order.checkpoints)}


def test_a_checkpoint_is_stored_when_two_looks_find_it_unchanged(orders, folder, trained):
    keeper = CheckpointKeeper(trained, orders.store, folder)
    path = folder.checkpoints / "last.bin"
    path.write_bytes(b"step 1")
    keeper.look()
    assert stored(orders, trained) == {}
    keeper.look()
    assert stored(orders, trained) == {"last.bin": b"step 1"}


def test_a_program_that_renames_a_checkpoint_into_place_all_the_time_has_each_one_stored(orders, folder, trained):
    keeper = CheckpointKeeper(trained, orders.store, folder)
    for step in range(3):
        new = folder.checkpoints / "last.tmp"
        new.write_bytes(b"step %d" % step)
        time.sleep(0.02)  # the clock of a file system has ticks
        new.replace(folder.checkpoints / "last.bin")
        keeper.look(hurry=True)
        assert stored(orders, trained) == {"last.bin": b"step %d" % step}


def test_a_checkpoint_that_is_written_in_place_all_the_time_is_never_taken_half(orders, folder, trained):
    keeper = CheckpointKeeper(trained, orders.store, folder)
    for step in range(3):
        (folder.checkpoints / "last.bin").write_bytes(b"half of step %d" % step)
        keeper.look(hurry=True)
        time.sleep(0.02)
    assert stored(orders, trained) == {}


def test_of_two_files_that_changed_between_two_looks_neither_is_taken(orders, folder, trained):
    keeper = CheckpointKeeper(trained, orders.store, folder)
    for step in range(3):
        for name in ("model", "state"):
            new = folder.checkpoints / f"{name}.tmp"
            new.write_bytes(b"step %d" % step)
            time.sleep(0.02)
            new.replace(folder.checkpoints / f"{name}.bin")
        keeper.look(hurry=True)
    assert stored(orders, trained) == {}


def test_the_last_look_does_not_wait(orders, folder, trained):
    (folder.checkpoints / "last.bin").write_bytes(b"step 1")
    CheckpointKeeper(trained, orders.store, folder).look(at_last=True)
    assert stored(orders, trained) == {"last.bin": b"step 1"}


def test_a_newer_checkpoint_replaces_the_older_and_leaves_nothing_behind(orders, folder, trained):
    for number in range(3):
        (folder.checkpoints / f"step-{number}.bin").write_bytes(f"step {number}".encode())
        (folder.checkpoints / f"step-{number - 1}.bin").unlink(missing_ok=True)
        CheckpointKeeper(trained, orders.store, folder).look(at_last=True)
        assert stored(orders, trained) == {f"step-{number}.bin": f"step {number}".encode()}
    keys = [info.key for info in orders.store.list(trained.checkpoints)]
    assert len(keys) == 2, "the file and the list"


def test_the_list_of_a_checkpoint_never_names_what_is_not_there(orders, folder, trained):
    (folder.checkpoints / "a.bin").write_bytes(b"one")
    CheckpointKeeper(trained, orders.store, folder).look(at_last=True)
    (folder.checkpoints / "a.bin").write_bytes(b"two")
    (folder.checkpoints / "b.bin").write_bytes(b"two")
    for writes in range(2):
        store = Dying(orders.store.root)
        store.left = writes
        with pytest.raises(StoreUnavailableError):
            CheckpointKeeper(trained, store, folder).look(at_last=True)
        assert stored(orders, trained) == {"a.bin": b"one"}


def test_checkpoints_come_to_the_next_attempt(orders, folder, trained, cache, tmp_path):
    from sedna.core.staging import WorkFolder, stage_in

    (folder.checkpoints / "deep").mkdir()
    (folder.checkpoints / "deep" / "last.bin").write_bytes(b"step 1")
    CheckpointKeeper(trained, orders.store, folder).look(at_last=True)
    other = WorkFolder(tmp_path / "another-machine")
    stage_in(orders.make(attempt=2), orders.store, other, cache)
    assert (other.checkpoints / "deep" / "last.bin").read_bytes() == b"step 1"


def test_a_report_is_kept_as_it_was_sent(orders, folder, trained):
    told = report(trained, {"metrics": {"per_sample": [{"sample": "a", "value": 0.25}]}})
    store_result(trained, orders.store, folder, told)
    body = json.loads(orders.store.get(f"{trained.prefix}result.json"))
    assert body["report"] == told


@pytest.mark.parametrize("load", [load_result, load_end, load_failure])
@pytest.mark.parametrize("body", [b"[" * 200_000, b'{"a":' * 200_000, b"\xff\xfe", b"null"])
def test_what_users_code_may_leave_there_is_damage_and_no_crash(orders, load, body):
    order = orders.make()
    for name in ("result", "end", "failure"):
        orders.store.put(f"{order.prefix}{name}.json", body)
    with pytest.raises(IntegrityError):
        load(orders.store, order.prefix)


def test_a_note_without_end_is_not_read_to_its_end(orders, monkeypatch):
    order = orders.make()
    monkeypatch.setattr("sedna.core.staging.stage_out._MAX_NOTE_BYTES", 1000)
    orders.store.put(f"{order.prefix}end.json", b" " * 5000 + b'{"exit_code": 0}')
    with pytest.raises(IntegrityError, match="more than 1000 bytes"):
        load_end(orders.store, order.prefix)
