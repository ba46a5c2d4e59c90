"""Which service a command goes to, and that it says so."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from globalmanager.cli.app import app
from globalmanager.cli.client import connect
from globalmanager.cli.contexts import choose, chosen, find_target, known_services, save_context, save_started
from sedna.common.errors import NotFoundError, SpecError

A, B, C = "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and a home without any service."""
    monkeypatch.setenv("SEDNA_CONFIG_DIR", str(tmp_path / "config"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


def target() -> tuple[str, str]:
    found = find_target(None, None)
    return found.url, found.why


def test_the_data_of_this_folder_wins_over_the_last_one_started(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_started(A, "a", Path("data"))
    save_started(B, "b", home / "other" / "data")
    assert target() == (A, "in ./data")
    monkeypatch.chdir(home)
    assert target() == (B, "the last one started")


def test_a_folder_of_somebody_else_is_not_followed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_started(B, "b", home / "other")
    save_context(Path("data") / "client.json", A, "a")
    monkeypatch.setattr(os, "getuid", lambda: Path().stat().st_uid + 1)
    assert target() == (B, "the last one started")


def test_settings_are_those_of_the_chosen_service(home: Path) -> None:
    folder = home / "other" / "boards"
    folder.mkdir(parents=True)
    (folder / "service.yaml").write_text("port: 8123\n")
    save_started(B, "b", folder)
    assert choose("other/boards") is not None
    result = CliRunner().invoke(app, ["config", "show", "--changed"])
    assert (result.exit_code, "8123" in result.stdout) == (0, True)
    assert f"settings of the service with its data in {folder}, chosen with 'sedna context use'" in result.stderr
    assert choose(None) is None
    result = CliRunner().invoke(app, ["config", "show", "--changed"])
    assert "8123" not in result.stdout


def test_one_is_chosen_until_it_is_no_longer(home: Path) -> None:
    save_started(B, "b", home / "other" / "boards")
    save_started(A, "a", Path("data"))
    assert choose("other/boards") is not None
    assert target() == (B, "chosen with 'sedna context use'")
    save_started(C, "b", home / "other" / "boards")
    assert target() == (C, "chosen with 'sedna context use'"), "another port of the same service"
    assert choose(None) is None
    assert target() == (A, "in ./data")
    with pytest.raises(NotFoundError, match="no service 'x' is known"):
        choose("x")


def test_a_chosen_service_that_is_gone_is_no_reason_to_take_another(home: Path) -> None:
    save_started(B, "b", home / "other")
    choose("other")
    (home / "other" / "client.json").unlink()
    save_started(A, "a", Path("data"))
    with pytest.raises(SpecError, match="is gone"):
        find_target(None, None)
    assert find_target(A, None).token == "a", "a given address does not ask what was chosen"
    assert [entry.url for entry in known_services()] == [A]


def test_an_end_that_two_have_is_refused(home: Path) -> None:
    save_started(A, "a", home / "one" / "data")
    save_started(B, "b", home / "two" / "data")
    with pytest.raises(SpecError, match="several"):
        choose("data")
    found = choose(B)
    assert found is not None
    assert found.data == str(home / "two" / "data")


def test_an_address_is_chosen_with_its_token(home: Path) -> None:
    choose(C, "c")
    assert (find_target(None, None).token, find_target(C, None).token) == ("c", "c")
    file = home / "config" / "contexts.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert chosen() is not None
    file.write_text('{"services": 1}')
    with pytest.raises(SpecError, match="cannot be read"):
        find_target(None, None)


def test_a_change_of_the_target_is_told_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_started(A, "a", home / "one")
    with connect(None, None):
        assert capsys.readouterr().err == ""
    save_started(B, "b", home / "two")
    with connect(None, None):
        said = capsys.readouterr().err
    assert said.startswith(f"warning: commands go to {B} (data in {home / 'two'}; the last one started) now;")
    assert said.endswith(f"the last one went to {home / 'one'}\n")
    with connect(None, None):
        assert capsys.readouterr().err == ""
    save_started(C, "b", home / "two")
    with connect(None, None):
        assert capsys.readouterr().err == "", "the same service after a restart on another port"


def test_a_given_address_is_no_news_but_the_way_back_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_started(A, "a", home / "one")
    connect(None, None)
    connect(B, "b")
    assert capsys.readouterr().err == ""
    connect(None, None)
    assert f"the last one went to {B}" in capsys.readouterr().err


def test_a_chosen_one_that_is_not_that_of_the_folder_is_told_each_time(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_started(A, "a", Path("data"))
    save_started(B, "b", home / "other")
    choose("other")
    for _ in range(2):
        connect(None, None)
        assert f"the service of this folder is {A}, and not {B}" in capsys.readouterr().err


def test_a_home_that_cannot_be_written_is_in_nobodys_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_started(A, "a", Path("data"))
    (home / "file").write_text("")
    monkeypatch.setenv("SEDNA_CONFIG_DIR", str(home / "file" / "below"))
    with connect(None, None) as client:
        assert client.url == A


def test_the_saved_files_keep_what_programs_read(home: Path) -> None:
    save_started(A, "a", Path("data"))
    saved = json.loads(Path("data/client.json").read_text())
    assert saved == {"url": A, "token": "a", "data": str(home / "work" / "data")}
