"""Sixteen processes want to be the one that creates an object."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures_s3 import S3Server
from sedna.store import FolderStore, ObjectStore
from sedna.store.s3 import S3Store

PROCESSES = 16
KEYS = 5

_RACER = """
import json, os, sys
from sedna.store import FolderStore, S3Settings, open_store
kind, url, name, keys = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
if kind == "nolinks":
    store = FolderStore(url, hard_links=False)
else:
    store = open_store(url)
store.stat("warm-up")
print("ready", flush=True)
sys.stdin.readline()
print(json.dumps([store.put_if_absent(f"race/{k}", name.encode() * 1000) for k in range(keys)]), flush=True)
"""


def _race(kind: str, url: str, env: dict[str, str]) -> list[list[bool]]:
    command = [sys.executable, "-c", _RACER, kind, url]
    racers = [
        subprocess.Popen(
            [*command, f"racer-{number:02}", str(KEYS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**env, "PYTHONPATH": ":".join(sys.path)},
        )
        for number in range(PROCESSES)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    results = [json.loads(racer.communicate(timeout=120)[0]) for racer in racers]
    assert [racer.returncode for racer in racers] == [0] * PROCESSES
    return results


def _check(results: list[list[bool]], store: ObjectStore) -> None:
    for key in range(KEYS):
        winners = [number for number, answers in enumerate(results) if answers[key]]
        assert len(winners) == 1
        assert store.get(f"race/{key}") == f"racer-{winners[0]:02}".encode() * 1000


@pytest.mark.parametrize("kind", ["links", "nolinks"])
def test_one_process_wins_in_a_folder(kind: str, tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    _check(_race(kind, str(tmp_path), {}), store)
    assert [path.name for path in (tmp_path / ".sedna-tmp").iterdir()] in ([], ["lock"])


@pytest.mark.s3
def test_one_process_wins_in_s3(s3_server: S3Server, s3_store: S3Store) -> None:
    env = {
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
    }
    assert s3_store.supports_conditional_put
    _check(_race("s3", s3_store.url, env), s3_store)
