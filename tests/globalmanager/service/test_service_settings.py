"""Arguments win over the environment, the environment over the file, the file over defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from globalmanager.service.run import load_settings
from sedna.common.errors import SpecError


def test_the_order_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service.yaml").write_text("port: 1\nhost: file\nlog_level: ERROR\nengine: {tick_seconds: 7}\n")
    monkeypatch.setenv("SEDNA__HOST", "environment")
    monkeypatch.setenv("SEDNA__PORT", "2")
    monkeypatch.setenv("SEDNA__ENGINE__LEASE_SECONDS", "9")
    settings = load_settings({"data_dir": tmp_path, "port": 3})
    assert (settings.port, settings.host, settings.log_level) == (3, "environment", "ERROR")
    assert (settings.engine.tick_seconds, settings.engine.lease_seconds) == (7, 9)
    assert settings.shutdown_seconds == 10


def test_the_folder_of_the_file_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service.yaml").write_text("port: 1\n")
    monkeypatch.setenv("SEDNA__DATA_DIR", str(tmp_path))
    assert load_settings({}).port == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port: 99999\n", r"setting port: .*65535.*99999.*SEDNA__PORT"),
        ("prot: 1\n", "setting prot: Extra inputs"),
        ("engine: {tick_seconds: 0}\n", r"setting engine\.tick_seconds.*SEDNA__ENGINE__TICK_SECONDS"),
        ("engine: {standby: true}\n", r"settings: engine\.standby needs a db_url that all its services share"),
        ("engine: {standby: true}\ndb_url: sqlite:///x\n", r"settings: engine\.standby needs a store_url"),
        (
            "engine: {standby: true}\ndb_url: sqlite:///x\nstore_url: /x\nedges: 1\n",
            r"settings: engine\.standby and edges do not go together",
        ),
        ("db: {pool_size: 0}\n", r"setting db\.pool_size.*SEDNA__DB__POOL_SIZE"),
        ("admin_token: short\n", r"setting admin_token: [^;]*$"),
        ("- 1\n", "expected a mapping"),
        ("port: [\n", r"service\.yaml:2"),
    ],
)
def test_a_wrong_setting_is_named_with_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "service.yaml").write_text(text)
    with pytest.raises(SpecError, match=said):
        load_settings({"data_dir": tmp_path})


def test_secrets_do_not_show(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text("s3: {access_key: me, secret_key: hush}\n")
    settings = load_settings({"data_dir": tmp_path})
    assert "hush" not in repr(settings)
    assert settings.s3 is not None
    assert settings.s3.secret_key is not None
    assert settings.s3.secret_key.get_secret_value() == "hush"
