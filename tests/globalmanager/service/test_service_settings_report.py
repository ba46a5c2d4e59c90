"""What ``sedna config show`` says: every setting, where it comes from, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from globalmanager.service.settings_report import SettingLine, settings_report
from sedna.common.errors import SpecError


def by_name(data: Path | None) -> dict[str, SettingLine]:
    return {line.name: line for line in settings_report(data)}


def test_each_value_comes_from_somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "service.yaml"
    file.write_text("port: 9000\nhost: 0.0.0.0\nengine: {tick_seconds: 2}\n")
    monkeypatch.setenv("SEDNA__PORT", "9001")
    monkeypatch.setenv("SEDNA__ENGINE__LEASE_SECONDS", "20")
    found = by_name(tmp_path)
    expected = {
        "data_dir": (str(tmp_path), "--data"),
        "port": ("9001", "SEDNA__PORT"),
        "host": ("0.0.0.0", str(file)),
        "engine.tick_seconds": ("2.0", str(file)),
        "engine.lease_seconds": ("20.0", "SEDNA__ENGINE__LEASE_SECONDS"),
        "shutdown_seconds": ("10", "default"),
        "s3.region": ("", "not set"),
    }
    assert {name: (found[name].value, found[name].source) for name in expected} == expected
    assert found["port"].meaning == "0 = any free one"


def test_no_secret_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEDNA__ADMIN_TOKEN", "geheim-geheim-geheim-geheim")
    monkeypatch.setenv("SEDNA__DB_URL", "postgresql://anna:geheim@host/name?password=geheim&sslmode=require")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    found = by_name(tmp_path)
    assert "geheim" not in str(found)
    assert found["db_url"].value == "postgresql://anna:(hidden)@host/name?password=(hidden)&sslmode=require"
    assert (found["AWS_ACCESS_KEY_ID"].value, found["AWS_SECRET_ACCESS_KEY"].value) == ("key", "(hidden)")
    monkeypatch.setenv("SEDNA__DB_URL", "postgresql://anna:geheim:geheim/geheim@host/name")
    assert by_name(tmp_path)["db_url"].value == "postgresql://anna:(hidden)@host/name"
    monkeypatch.setenv("SEDNA__S3__ACCESS_KEY", "other")
    monkeypatch.setenv("SEDNA__S3__SECRET_KEY", "geheim")
    found = by_name(tmp_path)
    assert "geheim" not in str(found)
    assert "AWS_ACCESS_KEY_ID" not in found, "with settings of its own the store does not read them"
    assert (found["s3.access_key"].value, found["s3.access_key"].source) == ("other", "SEDNA__S3__ACCESS_KEY")


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "service.yaml").write_text("prot: 1\n")
    with pytest.raises(SpecError, match="prot"):
        settings_report(tmp_path)
