"""What is told while nothing can be stored."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from globalmanager.service.store_watch import StoreWatch
from sedna.common.clock import SettableClock
from sedna.common.errors import StoreUnavailableError
from sedna.store import FolderStore


class Store(FolderStore):
    """Away when it is told to be."""

    away = False

    def stat(self, key: str):  # type: ignore[no-untyped-def]
        if self.away:
            raise StoreUnavailableError("no connection", where="s3://b/k")
        return super().stat(key)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def full(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Nothing is free on the disks of these."""
    real = shutil.disk_usage
    monkeypatch.setattr(
        "sedna.common.atomic.shutil.disk_usage",
        lambda path: SimpleNamespace(free=1 << 20) if Path(path) in folders else real(path),
    )


def test_an_outage_is_told_once_with_its_beginning(store: Store, tmp_path: Path) -> None:
    clock, changes = SettableClock(), []
    watch = StoreWatch(store, [tmp_path], clock, lambda: changes.append(watch.trouble))
    watch.look()
    assert watch.trouble is None
    store.away = True
    watch.look()
    first = watch.trouble
    assert first is not None
    assert "no connection" in first
    assert f"since {clock.now():%Y-%m-%d %H:%M:%S} UTC" in first
    clock.advance(timedelta(minutes=5))
    watch.look()
    assert watch.trouble == first
    store.away = False
    watch.look()
    assert changes == [first, None]


def test_a_full_disk_is_named(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = StoreWatch(store, [tmp_path, tmp_path / "store"], SettableClock())
    full(monkeypatch, tmp_path / "store")
    watch.look()
    assert f"the disk of {tmp_path / 'store'} is full: 1 MiB are free" in (watch.trouble or "")
