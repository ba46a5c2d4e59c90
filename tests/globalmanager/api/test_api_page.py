"""The page's files: addresses, caching, policy, and a service without them."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fixtures_api import Api
from globalmanager.api.app import create_app
from globalmanager.api.routes.page import POLICY

SCRIPT = b"export const word = 'word';\n" * 50

Serve = Callable[[Path], TestClient]


@pytest.fixture
def serve(api: Api) -> Serve:
    def made(folder: Path) -> TestClient:
        app = create_app(dataclasses.replace(api.services, page_dir=folder))
        return TestClient(app, follow_redirects=False, headers={"Accept-Encoding": "identity"})

    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(b"<!doctype html><title>page</title>")
    (folder / "assets" / "start-abc.js").write_bytes(SCRIPT)
    (folder / "icon.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / ".stamp").write_text("digest\n")
    return folder


@pytest.mark.parametrize("path", ["", "login", "jobs/default/pcb", "jobs/default/pcb/samples/3f2a"])
def test_every_address_of_the_page_is_the_page_and_is_asked_for_again(serve: Serve, folder: Path, path: str) -> None:
    answer = serve(folder).get(f"/ui/{path}")
    assert (answer.status_code, answer.text) == (200, "<!doctype html><title>page</title>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = serve(folder).get(f"/ui/{path}", headers={"If-None-Match": f'W/"other", {answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


def test_the_policy_lets_no_script_in_but_our_files() -> None:
    rules = dict(rule.strip().split(" ", 1) for rule in POLICY.split(";"))
    assert rules["script-src"] == "'self'"
    assert rules["default-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert "unsafe" not in POLICY
    assert "*" not in POLICY


def test_named_by_their_content_files_are_kept_for_ever_and_sent_small(serve: Serve, folder: Path) -> None:
    http = serve(folder)
    plain = http.get("/ui/assets/start-abc.js")
    packed = http.get("/ui/assets/start-abc.js", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert plain.content == packed.content == SCRIPT
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "content-encoding" not in plain.headers
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == ("gzip", "Accept-Encoding")
    assert int(packed.headers["content-length"]) == len(gzip.compress(SCRIPT, mtime=0))
    assert plain.headers["etag"] != packed.headers["etag"]
    refused = http.get("/ui/assets/start-abc.js", headers={"Accept-Encoding": "gzip;q=0"})
    assert "content-encoding" not in refused.headers


@pytest.mark.parametrize("path", ["assets/old-abc.js", "assets/none", "missing.png", ".stamp", "jobs/%2e%2e/x.js"])
def test_what_looks_like_a_file_and_is_none_is_missing(serve: Serve, folder: Path, path: str) -> None:
    answer = serve(folder).get(f"/ui/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_files_outside_are_not_served(serve: Serve, folder: Path) -> None:
    (folder.parent / "secret.txt").write_text("what nobody may read")
    for path in ("../secret.txt", "..%2fsecret.txt", "%2e%2e/secret.txt", "/etc/passwd"):
        assert "nobody may" not in serve(folder).get(f"/ui/{path}").text


def test_the_root_leads_to_the_page(serve: Serve, folder: Path) -> None:
    http = serve(folder)
    for path in ("/", "/ui"):
        answer = http.get(path)
        assert (answer.status_code, answer.headers["location"]) == (307, "/ui/")
    assert http.head("/ui/").headers["etag"] == http.get("/ui/").headers["etag"]


def test_a_service_without_the_page_says_why_and_how_to_get_it(serve: Serve, tmp_path: Path) -> None:
    answer = serve(tmp_path / "none").get("/ui/login")
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/plain")
    assert "it was not built" in answer.text
    assert "'make page'" in answer.text
    (tmp_path / ".fault").write_text("npm-cli.js ci failed: <b>no network</b>\n")
    http = serve(tmp_path)
    assert "npm-cli.js ci failed: <b>no network</b>" in http.get("/ui/").text
    assert http.get("/healthz").status_code == 200
    assert http.get("/ui/.fault").status_code == 503


def test_a_page_is_of_one_build_whatever_happens_to_the_folder(serve: Serve, folder: Path) -> None:
    http = serve(folder)
    before = http.get("/ui/").text
    (folder / "index.html").write_text("half of another")
    assert http.get("/ui/").text == before
