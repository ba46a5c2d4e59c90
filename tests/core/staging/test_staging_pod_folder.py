"""The folders of a program in a container of its own: inputs apart, paths that upstream's library shortens."""

from pathlib import Path

import pytest

from sedna.common.errors import LinkUnavailableError, SpecError
from sedna.core.staging import NodeCache, WorkerAccess, WorkFolder, stage_in, store_result
from sedna.core.staging.identity import PodToken
from sedna.core.staging.stage_in import read_checkpoints
from sedna.core.staging.stage_out import CheckpointKeeper


@pytest.fixture
def apart(tmp_path):
    return WorkFolder(tmp_path / "data", inputs_at=tmp_path / "inputs", data_prefix=str(tmp_path / "data"))


def test_inputs_are_brought_apart_from_what_the_program_writes(orders, apart, tmp_path):
    order = orders.make(code="")
    stage_in(order, orders.store, apart, NodeCache(tmp_path / "inputs" / ".cache"))
    env = apart.environment(order)
    for name in ("TRAIN_DATASET_URL", "BASE_MODEL_URL"):
        assert Path(env[name]).is_relative_to(tmp_path / "inputs")
        assert Path(env[name]).is_file()
    for name in ("MODEL_URL", "CHECKPOINT_DIR"):
        assert Path(env[name]).is_relative_to(tmp_path / "data")
        assert Path(env[name]).is_dir()
    first = Path(env["TRAIN_DATASET_URL"]).read_text().split()[0]
    assert Path(first).is_relative_to(tmp_path / "inputs")
    assert Path(first).stat().st_nlink == 2, "a link to the cache, and not a second copy"


@pytest.mark.parametrize("shown", ["/output/net.bin", "{data}/output/net.bin"], ids=["cut", "whole"])
def test_a_path_in_a_report_is_found_with_and_without_the_prefix(orders, apart, tmp_path, shown):
    order = orders.make(code="")
    stage_in(order, orders.store, apart, NodeCache(tmp_path / "inputs" / ".cache"))
    (apart.output / "net.bin").write_bytes(b"weights")
    url = shown.format(data=tmp_path / "data")
    report = {"name": order.worker, "status": "completed", "results": [{"format": "bin", "url": url}]}
    made = store_result(order, orders.store, apart, report)
    assert (made.entry, made.forms) == ("net.bin", {"bin": "net.bin"})


def test_a_process_has_the_paths_of_its_machine(folder):
    assert folder.reported("/home/data/output/net.bin") == Path("/home/data/output/net.bin")


def test_in_a_hurry_a_whole_checkpoint_is_stored_whatever_that_costs(orders, folder):
    order = orders.make(code="")
    folder.checkpoints.mkdir(parents=True)
    keeper = CheckpointKeeper(order, orders.store, folder)
    keeper._not_before = float("inf")
    (folder.checkpoints / "step").write_text("1")
    keeper.look()
    keeper.look()
    assert not read_checkpoints(orders.store, order.checkpoints), "storing took long, so the training has its turn"
    keeper.look(hurry=True)
    assert read_checkpoints(orders.store, order.checkpoints)


def test_a_pod_needs_no_token_but_its_own(tmp_path):
    env = {"SEDNA_SERVICE_URL": "http://s:1", "SEDNA_WORK_DIR": "/w", "SEDNA_CACHE_DIR": "/c"}
    with pytest.raises(SpecError, match="no way to the inputs"):
        WorkerAccess.from_env(env)
    access = WorkerAccess.from_env({**env, "SEDNA_IDENTITY_FILE": str(tmp_path / "token")})
    assert WorkerAccess.from_env(access.to_env()) == access
    link = access.service()
    assert link is not None
    link.close()


def test_a_token_that_the_node_has_not_written_yet_is_asked_for_again(tmp_path):
    source = PodToken(lambda: "http://127.0.0.1:1", tmp_path / "token")
    with pytest.raises(LinkUnavailableError, match="the token of this Pod cannot be read"):
        source.token()
    (tmp_path / "token").write_text("projected")
    with pytest.raises(LinkUnavailableError, match="no answer"):
        source.token()
    source.close()
