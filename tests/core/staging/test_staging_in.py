"""Inputs of an order come whole and verified, or not at all."""

from pathlib import Path

import pytest

from fixtures_orders import JOB, picture
from sedna.common.errors import IntegrityError, LinkUnavailableError, SpecError
from sedna.common.types import sample_id
from sedna.core.staging import NodeCache, WorkFolder, stage_in
from sedna.core.staging.problems import load_problems
from sedna.store.layout import sample_key


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_training_finds_its_samples_labels_and_model(orders, folder, cache):
    order = orders.make()
    stage_in(order, orders.store, folder, cache)
    lines = folder.index(order).read_text().splitlines()
    named = {line.split()[0].rpartition("/")[2]: line.split()[1:] for line in lines}
    assert named == {f"{sample_id(picture(level))}.png": label for level, label in
                     ((10, ["1,1,5,5,1"]), (20, ["1,1,5,5,1"]), (30, []))}  # fmt: skip
    assert all(Path(line.split()[0]).read_bytes().startswith(b"\x89PNG") for line in lines)
    assert (folder.model("base") / "net.bin").read_bytes() == b"weights of the base"
    assert (folder.model("base") / "more" / "notes.txt").read_bytes() == b"notes"
    assert list(folder.output.iterdir()) == []


def test_an_evaluation_finds_fresh_and_held_out_samples_and_both_models(orders, folder, cache):
    order = orders.make("eval")
    stage_in(order, orders.store, folder, cache)
    names = {line.split()[0].rpartition("/")[2] for line in folder.index(order).read_text().splitlines()}
    assert names == {f"{sample_id(picture(level))}.png" for level in (40, 50)}
    for role in ("candidate", "champion"):
        assert (folder.model(role) / "net.bin").read_bytes() == f"weights of the {role}".encode()


def test_samples_without_a_label_are_listed_apart(orders, folder, cache):
    order = orders.make(unlabelled=orders.unlabelled(60, 61))
    stage_in(order, orders.store, folder, cache)
    names = [line.rpartition("/")[2] for line in folder.unlabelled.read_text().splitlines()]
    assert names == [f"{sample_id(picture(level))}.png" for level in (60, 61)]


def test_done_again_it_gives_the_same_folder_whatever_was_left_there(orders, folder, cache):
    order = orders.make()
    stage_in(order, orders.store, folder, cache)
    before = tree(folder.root)
    (folder.output / "half a model").write_bytes(b"x")
    (folder.samples / "stranger.png").write_bytes(b"x")
    folder.report.write_text("{}")
    folder.progress.write_text("{}\n")
    next(folder.samples.glob("*.png")).unlink()
    stage_in(order, orders.store, folder, cache)
    assert tree(folder.root) == before


def test_checkpoints_on_this_machine_are_newer_than_those_of_the_store(orders, folder, cache):
    order = orders.make()
    stage_in(order, orders.store, folder, cache)
    (folder.checkpoints / "step-7").write_bytes(b"seven")
    stage_in(order, orders.store, folder, cache)
    assert (folder.checkpoints / "step-7").read_bytes() == b"seven"


def test_without_an_index_nothing_is_there(orders, folder, cache):
    order = orders.make()
    for level in (10, 20):
        orders.store.delete(sample_key(JOB, sample_id(picture(level)), "png"))
    with pytest.raises(IntegrityError, match=r"2 of 3 samples are missing from the store or damaged, such as "):
        stage_in(order, orders.store, folder, cache)
    assert not folder.index(order).exists()
    assert set(load_problems(orders.store, order.prefix)) == {sample_id(picture(level)) for level in (10, 20)}


@pytest.mark.parametrize("bytes_", [None, b"rotten"], ids=["missing", "rotten"])
def test_a_sample_that_the_store_has_lost_is_left_out_and_named(orders, folder, cache, bytes_):
    order = orders.make(unlabelled=orders.unlabelled(60, 61))
    for level in (20, 60):
        key = sample_key(JOB, sample_id(picture(level)), "png")
        orders.store.delete(key)
        if bytes_ is not None:
            orders.store.put(key, bytes_)
    stage_in(order, orders.store, folder, cache)
    indexed, free = (path.read_text() for path in (folder.index(order), folder.unlabelled))
    assert [sample_id(picture(level)) in indexed for level in (10, 20, 30)] == [True, False, True]
    assert [sample_id(picture(level)) in free for level in (60, 61)] == [False, True]
    problems = load_problems(orders.store, order.prefix)
    assert set(problems) == {sample_id(picture(level)) for level in (20, 60)}
    said = "there is no such object" if bytes_ is None else "the store's bytes are not those that are recorded"
    assert all(said in text for text in problems.values())


def test_a_list_of_problems_that_is_none_is_said(orders):
    order = orders.make()
    assert load_problems(orders.store, order.prefix) == {}
    orders.store.put(f"{order.prefix}problems.json", b"{}")
    with pytest.raises(IntegrityError, match="no list of problems"):
        load_problems(orders.store, order.prefix)


@pytest.mark.parametrize("what", ["model", "dataset", "unlabelled"])
def test_what_has_rotted_in_the_store_is_no_input(orders, folder, cache, what):
    order = orders.make(unlabelled=orders.unlabelled(60))
    keys = {
        "model": order.model("base").files[0].key,
        "dataset": order.dataset.key,
        "unlabelled": order.unlabelled.key,
    }
    orders.store.put(keys[what], b"rotten")
    with pytest.raises(IntegrityError) as caught:
        stage_in(order, orders.store, folder, cache)
    assert keys[what] in str(caught.value)
    assert not folder.index(order).exists()


def test_a_path_with_white_space_cannot_be_written_to_an_index(orders, tmp_path, cache):
    with pytest.raises(SpecError, match="white space"):
        stage_in(orders.make(), orders.store, WorkFolder(tmp_path / "my work"), cache)


# --- the user's module ---------------------------------------------------------------------------------------------


def test_a_module_is_taken_from_its_own_folder_where_it_may_import_its_neighbours(orders, folder, cache, tmp_path):
    path = tmp_path / "code" / "mine.py"
    path.parent.mkdir()
    path.write_text("import neighbour\n")
    order = orders.make(**orders.algorithm(path, "Mine"))
    stage_in(order, orders.store, folder, cache)
    assert folder.module(order).resolve() == path.resolve()


@pytest.mark.parametrize("there", ["gone", "edited"])
def test_elsewhere_or_edited_since_the_copy_of_the_order_serves(orders, folder, cache, tmp_path, there):
    path = tmp_path / "mine.py"
    path.write_text("VERSION = 1\n")
    order = orders.make(**orders.algorithm(path, "Mine"))
    if there == "gone":
        path.unlink()
    else:
        path.write_text("VERSION = 2\n")
    stage_in(order, orders.store, folder, cache)
    assert folder.module(order).read_text() == "VERSION = 1\n"


# --- the cache of this machine -------------------------------------------------------------------------------------


class Counting:
    def __init__(self, store):
        self.store, self.opened = store, []

    def __getattr__(self, name):
        return getattr(self.store, name)

    def open(self, key):
        self.opened.append(key)
        return self.store.open(key)


def test_what_this_machine_has_is_not_fetched_again(orders, tmp_path, cache):
    store = Counting(orders.store)
    stage_in(orders.make(), store, WorkFolder(tmp_path / "a"), cache)
    fetched = len(store.opened)
    assert fetched == 5
    stage_in(orders.make(attempt=2), store, WorkFolder(tmp_path / "b"), cache)
    assert len(store.opened) == fetched
    first, second = (next((tmp_path / name / "samples").glob("*")) for name in "ab")
    assert first.samefile(second), "a link, not another copy"


def test_a_program_that_writes_to_its_inputs_harms_neither_the_store_nor_the_next_one(orders, tmp_path, cache):
    order = orders.make()
    mine = WorkFolder(tmp_path / "a")
    stage_in(order, orders.store, mine, cache)
    for path in (*mine.samples.iterdir(), mine.model("base") / "net.bin"):
        with path.open("r+b") as file:
            file.write(b"overwritten in place")
    other = WorkFolder(tmp_path / "b")
    stage_in(order, orders.store, other, cache)
    assert (other.model("base") / "net.bin").read_bytes() == b"weights of the base"
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in other.samples.iterdir())


def test_the_cache_keeps_what_was_used_last_and_workers_keep_what_they_have(orders, tmp_path):
    big = NodeCache(tmp_path / "cache")
    first, second = WorkFolder(tmp_path / "a"), WorkFolder(tmp_path / "b")
    stage_in(orders.make(), orders.store, first, big)
    held = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*") if path.is_file())
    evaluation = orders.make("eval")
    small = NodeCache(tmp_path / "cache", max_bytes=held // 2)
    stage_in(evaluation, orders.store, second, small)
    left = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in left) <= held // 2
    assert left
    assert not {path.name for path in left} & {path.stem for path in first.samples.iterdir()}, "the oldest go"
    for image in (*first.samples.iterdir(), *second.samples.iterdir()):
        assert image.read_bytes().startswith(b"\x89PNG")


def test_without_hard_links_inputs_are_copied(orders, folder, cache, monkeypatch):
    """Between two file systems, or on one that has none."""

    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("pathlib.Path.hardlink_to", refuse)
    stage_in(orders.make(), orders.store, folder, cache)
    assert (folder.model("base") / "net.bin").read_bytes() == b"weights of the base"


def test_a_connection_that_breaks_in_the_middle_of_a_file_costs_that_file_alone(orders, folder, cache):
    class Half:
        """The first bytes, and then nothing."""

        def __init__(self, stream):
            self.stream, self.reads = stream, 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.stream.close()

        def read(self, size):
            self.reads += 1
            if self.reads > 1:
                raise LinkUnavailableError("no answer: connection reset")
            return self.stream.read(3)

    class Breaking(Counting):
        def open(self, key):
            first = key not in self.opened
            stream = super().open(key)
            return Half(stream) if first else stream

    store = Breaking(orders.store)
    order = orders.make()
    stage_in(order, store, folder, cache)
    assert (folder.model("base") / "net.bin").read_bytes() == b"weights of the base"
    assert len(store.opened) == 10
