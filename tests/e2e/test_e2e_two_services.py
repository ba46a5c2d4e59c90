"""Two services where there may be one: the second says why it cannot run, the first does not notice."""

from __future__ import annotations

import subprocess

import pytest

from e2e.house import House, Service

pytestmark = pytest.mark.e2e


@pytest.fixture
def first(house: House) -> Service:
    house.environment["SEDNA__ENGINE__LEASE_SECONDS"] = "6"
    return house.up()


def is_unharmed(house: House, first: Service) -> None:
    """It answers, its engine drives jobs, the commands of its user still find it, and it ends well."""
    assert first.call("GET", "../../readyz").status_code == 200
    assert house.cli("job", "list", "-o", "json", as_json=True) == []
    assert first.end() == 0
    assert "error" not in first.output
    house.check_logs()


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """It says what is wrong and what to do, with the exit code of a mistake that a person can put right."""
    assert done.returncode == 2, done.stderr
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[-2:]] == ["error", "hint"]
    assert "Traceback" not in done.stderr
    for text in said:
        assert text in done.stderr
    assert done.stdout == "", "neither an address nor a token of a service that is none"


def test_on_one_folder(house: House, first: Service) -> None:
    done = house.run("up", "--data", str(house.folder / "data"), "--port", "0")
    refused(done, f"a service runs in this folder: process {first.process.pid}", "use another --data")
    is_unharmed(house, first)


def test_on_one_database(house: House, first: Service) -> None:
    house.environment["SEDNA__DB_URL"] = f"sqlite:///{house.folder / 'data' / 'sedna.db'}"
    done = house.run("up", "--data", str(house.folder / "other"), "--port", "0")
    refused(done, "another engine drives this database", f":{first.process.pid} since")
    is_unharmed(house, first)
