"""Files that a description names: on this machine, or in an object store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from sedna.common.errors import NotFoundError, SpecError, TooLargeError
from sedna.common.patience import Patience
from sedna.common.regular_files import read_regular, require_kind, unreadable
from sedna.labels.files import MAX_FILES, is_hidden, walk
from sedna.store import S3Settings
from sedna.store.base import ObjectStore
from sedna.store.urls import open_store

T = TypeVar("T")

_LIST_SECONDS = 600.0
"""For the names of a whole folder, of which there may be a million."""

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
    """A folder of this machine. A name may also be an absolute path, as in upstream's indexes.

    Only regular files are read, and never for longer than ``patience`` has: what a dataset names may be a pipe, or lie
    on a share that is away.
    """

    def __init__(self, folder: Path, patience: Patience | None = None) -> None:
        self._folder = folder
        self._patience = patience or Patience()

    @property
    def url(self) -> str:
        return self._folder.as_uri()

    def at(self, name: str) -> str:
        return str(self._folder / name)

    def kind(self, name: str) -> Kind | None:
        path = self._folder / name

        def look() -> Kind | None:
            if path.is_dir():
                return "folder"
            return "file" if path.exists() else None

        return self._call(look, path)

    def list(self) -> Iterator[tuple[str, str]]:
        found = self._call(lambda: list(walk(self._folder)), self._folder, seconds=_LIST_SECONDS)
        for name, facts in found:
            yield name, f"{facts.st_size} {facts.st_mtime_ns}"

    def read(self, name: str, max_bytes: int) -> bytes:
        path = self._folder / name
        return self._call(lambda: read_regular(path, max_bytes), path)

    def fetch(self, name: str, staging: Path) -> Path:  # noqa: ARG002
        path = self._folder / name
        try:
            self._call(lambda: require_kind(path), path)
        except NotFoundError as error:
            raise NotFoundError("there is no such file or folder", where=str(path)) from error
        return path

    def _call(self, work: Callable[[], T], path: Path, *, seconds: float | None = None) -> T:
        # By folder: what hangs is a share, and most files of a dataset lie in one folder of it.
        about = str(path if path == self._folder else path.parent)
        try:
            return self._patience.call(work, about=about, where=str(path), seconds=seconds)
        except (OSError, ValueError) as error:
            raise unreadable(error, path) from error

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


def open_source(
    url: str, where: str, s3: S3Settings | None = None, patience: Patience | None = None
) -> tuple[SourceFolder, str]:
    """The folder of ``url`` and the name in it.

    Args:
        s3: for s3 addresses; None = from the environment.
        patience: for files of this machine.

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
    return LocalFolder(path.parent, patience), path.name
