"""Files that a description names: on this machine, or in an object store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol
from urllib.parse import unquote, urlsplit

from sedna.common.errors import AuthError, DataError, NotFoundError, SpecError, TooLargeError
from sedna.labels.files import MAX_FILES, is_hidden, walk
from sedna.store import S3Settings
from sedna.store.base import ObjectStore
from sedna.store.urls import open_store

FORMS = "use an absolute path, file:///path or s3://bucket/path"


Kind = Literal["file", "folder"]


class SourceFolder(Protocol):
    """A place from which files are read by name."""

    @property
    def url(self) -> str:
        """Which place it is."""
        ...

    def at(self, name: str) -> str:
        """What messages call a file."""
        ...

    def kind(self, name: str) -> Kind | None:
        """What ``name`` is; None = it is not there."""
        ...

    def list(self) -> Iterator[tuple[str, str]]:
        """All files below, sorted by name, each with a text that changes when the file does; without hidden ones.

        Raises:
            TooLargeError: there are too many.
            StoreUnavailableError: the store does not answer.
        """
        ...

    def read(self, name: str, max_bytes: int) -> bytes:
        """The bytes of a file.

        Raises:
            NotFoundError, AuthError, TooLargeError, DataError: it cannot be had as it is.
            StoreUnavailableError: the store does not answer.
        """
        ...

    def fetch(self, name: str, staging: Path) -> Path:
        """A file or folder as a local path: where it is, or a copy below ``staging``. Raises as `read`."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


class LocalFolder:
    """A folder of this machine. A name may also be an absolute path, as in upstream's indexes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    def at(self, name: str) -> str:
        return str(self._folder / name)

    def kind(self, name: str) -> Kind | None:
        path = self._folder / name
        if path.is_dir():
            return "folder"
        return "file" if path.exists() else None

    def list(self) -> Iterator[tuple[str, str]]:
        for name, facts in walk(self._folder):
            yield name, f"{facts.st_size} {facts.st_mtime_ns}"

    def read(self, name: str, max_bytes: int) -> bytes:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                data = file.read(max_bytes + 1)
        except OSError as error:
            raise _readable(error, path) from error
        return _bounded(data, max_bytes, str(path))

    def fetch(self, name: str, staging: Path) -> Path:  # noqa: ARG002
        path = self._folder / name
        if not path.exists():
            raise NotFoundError("there is no such file or folder", where=str(path))
        return path

    def close(self) -> None:
        """Nothing is held between calls."""


class StoreFolder:
    """A prefix of an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @property
    def url(self) -> str:
        return self._store.url

    def at(self, name: str) -> str:
        return f"{self._store.url}/{name}" if name else self._store.url

    def kind(self, name: str) -> Kind | None:
        if self._store.stat(name) is not None:
            return "file"
        return None if next(self._store.list(f"{name}/"), None) is None else "folder"

    def list(self) -> Iterator[tuple[str, str]]:
        # Sorted here: some servers list by path part instead of by key.
        for number, info in enumerate(sorted(self._store.list(), key=lambda info: info.key)):
            if number == MAX_FILES:
                raise TooLargeError("it holds too many files", where=self.url, hint=f"at most {MAX_FILES} below it")
            if not is_hidden(info.key):
                yield info.key, f"{info.size} {info.etag or info.modified.isoformat()}"

    def read(self, name: str, max_bytes: int) -> bytes:
        key = PurePosixPath(name).as_posix()
        info = self._store.stat(key)
        # The size is asked for first: an object is fetched whole.
        if info is None:
            raise NotFoundError("there is no such object", where=f"{self._store.url}/{key}")
        if info.size > max_bytes:
            raise TooLargeError(f"it has {info.size} bytes", where=key, hint=f"at most {max_bytes}")
        return self._store.get(key)

    def fetch(self, name: str, staging: Path) -> Path:
        target = staging / PurePosixPath(name).name
        if self._store.stat(name) is not None:
            self._store.download(name, target)
            return target
        for info in self._store.list(f"{name}/"):
            self._store.download(info.key, target / info.key.removeprefix(f"{name}/"))
        if not target.exists():
            raise NotFoundError("there is no such object, and nothing below it", where=f"{self._store.url}/{name}")
        return target

    def close(self) -> None:
        self._store.close()


def open_source(url: str, where: str, s3: S3Settings | None = None) -> tuple[SourceFolder, str]:
    """The folder of ``url`` and the name in it.

    Args:
        s3: for s3 addresses; None = from the environment.

    Raises:
        SpecError: the URL is relative, or of a kind that this service does not read.
    """
    parts = urlsplit(url)
    if parts.scheme == "s3":
        parent, _, name = url.rstrip("/").rpartition("/")
        if not parts.netloc or parent == "s3:/":
            raise SpecError(f"{url!r} names no object", where=where, hint="s3://bucket/path/of/object")
        return StoreFolder(open_store(parent, s3)), name
    if parts.scheme not in ("", "file") or (parts.scheme == "file" and parts.netloc not in ("", "localhost")):
        raise SpecError(f"{url!r} cannot be read", where=where, hint=FORMS)
    path = Path(unquote(parts.path) if parts.scheme == "file" else url)
    if not path.is_absolute():
        raise SpecError(f"{url!r} is relative, and to what is not known", where=where, hint=FORMS)
    return LocalFolder(path.parent), path.name


def _readable(error: OSError, path: Path) -> NotFoundError | AuthError | DataError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFoundError("there is no such file", where=str(path))
    if isinstance(error, PermissionError):
        return AuthError("may not be read", where=str(path), hint="let the service's user read it", forbidden=True)
    return DataError(f"cannot be read: {error.strerror}", where=str(path))


def _bounded(data: bytes, max_bytes: int, where: str) -> bytes:
    if len(data) > max_bytes:
        raise TooLargeError("it is too large", where=where, hint=f"at most {max_bytes} bytes")
    return data
