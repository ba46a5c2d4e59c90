"""The compose file: whole, with settings that exist and nothing secret in it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from fixtures_chart import DEPLOY
from globalmanager.service.settings import ServiceSettings

FILE = DEPLOY / "compose.yaml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text())
EXAMPLE = (DEPLOY / ".env.example").read_text()

VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def filled(text: str) -> str:
    """As compose fills it in, with a value for what must be given."""
    return VARIABLE.sub(lambda m: m[3] if m[2] == "-" else f"given-for-{m[1].lower()}", text)


def test_the_settings_are_settings_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPOSE["services"]["sedna"]["environment"].items():
        monkeypatch.setenv(name, filled(value))
    settings = ServiceSettings()
    assert settings.admin_token is not None
    assert settings.admin_token.get_secret_value() == "given-for-sedna_admin_token"
    assert settings.db_url == "postgresql://sedna@postgres:5432/sedna"
    assert settings.s3 is not None
    assert (settings.s3.host, settings.s3.access_key) == ("s3:8333", "given-for-s3_access_key")
    assert not settings.api.redirect_models
    assert settings.kubernetes is None


def test_secrets_come_from_the_environment_file_and_must_be_given() -> None:
    named = {match[1]: match for match in VARIABLE.finditer(FILE.read_text())}
    told = set(re.findall(r"^(?:# )?(\w+)=", EXAMPLE, re.MULTILINE))
    assert set(named) == told
    empty = set(re.findall(r"^(\w+)=$", EXAMPLE, re.MULTILINE))
    assert empty == {"SEDNA_ADMIN_TOKEN", "POSTGRES_PASSWORD", "S3_SECRET_KEY"}
    text = FILE.read_text()
    for name in empty | {"S3_ACCESS_KEY"}:
        assert f"${{{name}:?" in text, f"{name} may be forgotten"


def test_the_defaults_that_the_example_tells_are_those_of_the_file() -> None:
    told = dict(re.findall(r"^# (\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert told == {m[1]: m[3] for m in VARIABLE.finditer(FILE.read_text()) if m[2] == "-"}


def test_the_service_waits_for_what_it_needs() -> None:
    services = COMPOSE["services"]
    for name in ("postgres", "s3"):
        assert services["sedna"]["depends_on"][name] == {"condition": "service_healthy"}
    assert all("healthcheck" in service for service in services.values())


def test_only_the_service_can_be_reached_from_outside() -> None:
    services = COMPOSE["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["sedna"]
    assert [name for name, service in services.items() if "front" in service["networks"]] == ["sedna"]
    assert COMPOSE["networks"]["back"]["internal"] is True
    for service in services.values():
        assert "no-new-privileges:true" in service["security_opt"]


def test_every_volume_and_network_is_declared() -> None:
    for service in COMPOSE["services"].values():
        for mount in service.get("volumes", ()):
            source = filled(mount).split(":")[0]
            assert source.startswith(".") or source in COMPOSE["volumes"], mount
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert {config["source"] for config in service.get("configs", ())} <= set(COMPOSE["configs"])
