"""Which service a command speaks to: the one that was named, chosen, stands in this folder, or was started last."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from sedna.common.atomic import write_atomic
from sedna.common.errors import NotFoundError, SpecError

__all__ = [
    "Target",
    "choose",
    "chosen",
    "find_target",
    "known_services",
    "note_target",
    "other_here",
    "save_context",
    "save_started",
]

CONTEXT_FILE = "client.json"
_KNOWN_FILE = "contexts.json"
_LAST_FILE = "last-target"
_FOLDERS = ("data", "sedna-data")
"""Where the README and ``sedna up`` put a service's data, seen from the folder in which one works."""


@dataclass(frozen=True)
class Target:
    """A service, and why it is this one. ``data``: its folder, where it was started on this machine."""

    url: str
    token: str
    data: str | None = None
    why: str = ""

    @property
    def name(self) -> str:
        """What tells it from others, also after a restart on another port."""
        return self.data or self.url.rstrip("/")

    def __str__(self) -> str:
        about = "; ".join(filter(None, (self.data and f"data in {self.data}", self.why)))
        return f"{self.url} ({about})" if about else self.url


def _folder() -> Path:
    # For tests, and for services of two projects on one account.
    return Path(os.environ.get("SEDNA_CONFIG_DIR") or typer.get_app_dir("sedna"))


def save_context(path: Path, url: str, token: str, data: Path | None = None) -> None:
    """Write an address and its token, readable by this user only."""
    place = {} if data is None else {"data": str(data)}
    _write(path, {"url": url, "token": token, **place})


def save_started(url: str, token: str, data: Path) -> None:
    """Remember a service that was started: beside its data, as the last one of this user, and among all of them."""
    folder = data.absolute()
    for path in (folder / CONTEXT_FILE, _folder() / CONTEXT_FILE):
        save_context(path, url, token, folder)
    _know(Target(url, token, str(folder)))


def find_target(url: str | None, token: str | None) -> Target:
    """The service that is meant.

    A given address wins over one chosen with ``sedna context use``, that over the service whose data lies in this
    folder, and that over the last one started.

    Raises:
        SpecError: none is known, its file is damaged, or it has no token.
    """
    if url is not None and token is not None:
        return Target(url, token)
    if url is not None:
        # A saved token goes to its own service only: another address may be somebody else's.
        for target in (_here(), _last(), *known_services()):
            if target is not None and url.rstrip("/") == target.url.rstrip("/"):
                return Target(url, target.token, target.data)
        raise SpecError(f"no token for {url} is known", where="--token", hint="give --token or SEDNA_TOKEN")
    found = chosen() or _here() or _last()
    if found is None:
        hint = "start one with 'sedna up', or give --url and --token (SEDNA_URL, SEDNA_TOKEN)"
        raise SpecError("no service is known", where="--url", hint=hint)
    return found if token is None else Target(found.url, token, found.data, found.why)


def _last() -> Target | None:
    return _read(_folder() / CONTEXT_FILE, "the last one started")


def known_services() -> list[Target]:
    """Every service that this user has started or chosen, and not lost since, by name."""
    entries = _known()["services"]
    found = [_fresh(Target(entry["url"], entry["token"], entry.get("data"))) for entry in entries.values()]
    return sorted((target for target in found if target is not None), key=lambda target: target.name)


def chosen() -> Target | None:
    """The service of ``sedna context use``, None where there is none."""
    name = _known()["chosen"]
    if name is None:
        return None
    for target in known_services():
        if target.name == name:
            return Target(target.url, target.token, target.data, "chosen with 'sedna context use'")
    raise SpecError(
        f"the chosen service {name} is gone", where="sedna context", hint="'sedna context use NAME', or '--auto'"
    )


def choose(name: str | None, token: str | None = None) -> Target | None:
    """Let the commands go to a known service, or to an address with a token; None = wherever they belong.

    Args:
        name: data folder or address of a service, or the end of one that no other has.

    Raises:
        NotFoundError: no such service is known.
        SpecError: several are meant.
    """
    content = _known()
    if name is None:
        _write(_folder() / _KNOWN_FILE, {**content, "chosen": None})
        return None
    if token is not None:
        _know(Target(name, token))
    target = _one_of(name, known_services())
    _write(_folder() / _KNOWN_FILE, {**_known(), "chosen": target.name})
    return target


def other_here(target: Target) -> Target | None:
    """The service of this folder where ``target`` is another one."""
    here = _here()
    return None if here is None or here.name == target.name else here


def note_target(target: Target) -> str | None:
    """Remember where a command goes; returns where the last one went if that was another service."""
    path = _folder() / _LAST_FILE
    try:
        last = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        last = ""
    if last == target.name:
        return None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, f"{target.name}\n".encode(), mode=0o600)
    except OSError:
        # A home that cannot be written (a container, a cron job) has no command before this one to remember.
        return None
    return last or None


def _here() -> Target | None:
    for name in _FOLDERS:
        path = Path.cwd() / name / CONTEXT_FILE
        try:
            # Somebody else's file in a shared folder would send this user's jobs to a service of that somebody.
            if path.stat().st_uid != os.getuid():
                continue
        except OSError:
            continue
        found = _read(path, f"in ./{name}")
        if found is not None:
            return Target(found.url, found.token, str(path.parent), found.why)
    return None


def _fresh(target: Target) -> Target | None:
    """As its folder says, which a start under another account's home has written as well; None if that is gone."""
    if target.data is None:
        return target
    path = Path(target.data) / CONTEXT_FILE
    if not path.is_file():
        return None
    found = _read(path, "")
    return found and Target(found.url, found.token, target.data)


def _one_of(name: str, services: list[Target]) -> Target:
    wanted = name.rstrip("/")
    path = str(Path(name).absolute())
    exact = [target for target in services if wanted in (target.name, target.url.rstrip("/")) or path == target.data]
    found = exact or [target for target in services if target.name.endswith(f"/{wanted.removeprefix('./')}")]
    if len(found) == 1:
        return found[0]
    known = ", ".join(target.name for target in found or services) or "none"
    if found:
        raise SpecError(f"{name!r} is the end of several", where="sedna context", hint=f"one of: {known}")
    hint = f"known: {known}; an address needs --token"
    raise NotFoundError(f"no service {name!r} is known", where="sedna context", hint=hint)


def _know(target: Target) -> None:
    content = _known()
    entry = {"url": target.url, "token": target.token, **({} if target.data is None else {"data": target.data})}
    _write(_folder() / _KNOWN_FILE, {**content, "services": {**content["services"], target.name: entry}})


def _known() -> dict[str, Any]:
    path = _folder() / _KNOWN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        services = {
            str(name): {str(k): str(v) for k, v in entry.items()} for name, entry in content["services"].items()
        }
        if not all({"url", "token"} <= entry.keys() for entry in services.values()):
            raise KeyError("url")
        return {"chosen": content["chosen"], "services": services}
    except (FileNotFoundError, NotADirectoryError):
        return {"chosen": None, "services": {}}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpecError("the known services cannot be read", where=str(path), hint="delete the file") from error


def _read(path: Path, why: str) -> Target | None:
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return Target(str(saved["url"]), str(saved["token"]), saved.get("data"), why)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpecError("the saved address is damaged", where=str(path), hint="delete the file") from error


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(content, indent=2).encode() + b"\n", mode=0o600)
