"""Archives from outside: every entry is checked before the first byte is written.

Refused: absolute names, ``..``, back-slashes, links, devices, encrypted and doubled entries, and anything
over the limits.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from sedna.common.atomic import full_disk_as_error, temporary_beside
from sedna.common.errors import DataError, NotFoundError, TooLargeError

__all__ = ["ArchiveLimits", "is_archive", "pack", "unpack"]

_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")


@dataclass(frozen=True, kw_only=True)
class ArchiveLimits:
    """What an archive may hold. The defaults fit models and image sets and stop the well-known bombs."""

    max_bytes: int = 16 << 30
    """Sum of the unpacked files."""
    max_ratio: float = 200.0
    """Unpacked bytes per archive byte. Text compresses some ten-fold, a bomb a thousand-fold."""
    ratio_from: int = 16 << 20
    """Unpacked bytes below which the ratio is not looked at: small files of zeros are legal."""
    max_entries: int = 1_000_000


@dataclass(frozen=True)
class _Member:
    name: str
    size: int
    is_dir: bool
    refusal: str  # why it may not be unpacked; empty when it may


class _ArchiveReader(Protocol):
    def entries(self) -> Iterator[_Member]: ...

    def files(self) -> Iterator[tuple[str, IO[bytes]]]: ...


def is_archive(path: Path | str) -> bool:
    """Whether the name of ``path`` says that `unpack` can read it."""
    return str(path).lower().endswith(_SUFFIXES)


def unpack(archive: Path | str, folder: Path | str, limits: ArchiveLimits | None = None) -> list[Path]:
    """Unpack a tar (plain, gz, bz2, xz) or zip into ``folder``, which is created if needed.

    All files are unpacked beside ``folder`` first; none appears in it before all are complete. Existing
    files of the same name are replaced. Only regular files and folders are made, with the default
    permissions.

    Returns:
        The unpacked files, in archive order.

    Raises:
        NotFoundError: no such archive.
        DataError: damaged, of an unknown kind, or with an entry that is refused; nothing was written.
        TooLargeError: over ``limits``; nothing was written.
        StorageFullError: no space; nothing is left behind.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        raise NotFoundError("no such archive", where=str(archive))
    # Checked whole before anything is written: a bomb in the last entry must not find the first ones on the disk.
    with _damage_as_error(archive), _open(archive) as reader:
        _check(reader, archive, limits or ArchiveLimits())
        folder.mkdir(parents=True, exist_ok=True)
        with (
            full_disk_as_error(folder),
            # Beside the folder, hence on its file system: the moves below are renames and cannot run out of space half
            # way.
            tempfile.TemporaryDirectory(prefix=".unpack-", dir=folder.parent) as staging,
        ):
            names = [_write(Path(staging), name, source) for name, source in reader.files()]
            return [_move(Path(staging), folder, name) for name in names]


def pack(source: Path | str, archive: Path | str) -> Path:
    """Write a ``.tar.gz`` of a file or a folder; entry names are relative to it. Links inside are not
    followed.

    Raises:
        NotFoundError: no such source.
        StorageFullError: no space; nothing is left behind.
    """
    source, archive = Path(source), Path(archive)
    if not source.exists():
        raise NotFoundError("nothing to pack", where=str(source))
    members = (
        [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file() and not p.is_symlink())
    )
    temporary = temporary_beside(archive)
    with full_disk_as_error(archive):
        try:
            with tarfile.open(temporary, "w:gz") as tar:
                for member in members:
                    tar.add(member, arcname=member.name if member == source else str(member.relative_to(source)))
            temporary.replace(archive)
        finally:
            temporary.unlink(missing_ok=True)
    return archive


def _check(reader: _ArchiveReader, archive: Path, limits: ArchiveLimits) -> None:
    # An empty file is no archive, and no divisor either.
    packed = max(archive.stat().st_size, 1)
    total, seen = 0, set[str]()
    for number, entry in enumerate(reader.entries(), start=1):
        where = f"{archive}: entry {entry.name!r}"
        refusal = entry.refusal or _name_refusal(entry.name)
        if refusal:
            raise DataError(refusal, where=where, hint="regular files and folders with relative names")
        # "a/./b" and "a/b" are one file.
        key = str(PurePosixPath(entry.name))
        # The second would replace the first after both were checked.
        if key in seen and not entry.is_dir:
            raise DataError("appears twice", where=where)
        seen.add(key)
        total += entry.size
        if number > limits.max_entries:
            raise TooLargeError("too many entries", where=str(archive), hint=f"at most {limits.max_entries}")
        if total > limits.max_bytes:
            raise TooLargeError("unpacks to too many bytes", where=str(archive), hint=f"at most {limits.max_bytes}")
        if total > limits.ratio_from and total / packed > limits.max_ratio:
            raise TooLargeError(
                f"unpacks to {total} bytes from {packed}",
                where=str(archive),
                hint=f"at most {limits.max_ratio:g}-fold",
            )


def _name_refusal(name: str) -> str:
    if not name or "\0" in name:
        return "has no usable name"
    # A back-slash and a drive letter mean something to Windows only, and there they lead out of the folder.
    if "\\" in name or name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        return "has an absolute name or a back-slash"
    if ".." in PurePosixPath(name).parts:
        return "leaves the folder"
    return ""


def _write(staging: Path, name: str, source: IO[bytes]) -> str:
    target = staging / name
    target.parent.mkdir(parents=True, exist_ok=True)
    # Never over an existing file: names that differ in case only are one file on some file systems.
    with target.open("xb") as file:
        shutil.copyfileobj(source, file, 1 << 20)
    return name


def _move(staging: Path, folder: Path, name: str) -> Path:
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    # The archive holds no links, but the folder may.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise DataError("a link in the folder leads outside", where=str(target.parent))
    return (staging / name).replace(target)


@contextmanager
def _damage_as_error(archive: Path) -> Iterator[None]:
    try:
        yield
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        LZMAError,
        NotImplementedError,
    ) as error:
        raise DataError(f"damaged or unsupported archive: {error}", where=str(archive)) from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise DataError(f"a name is a file and a folder at once: {error}", where=str(archive)) from error


@contextmanager
def _open(archive: Path) -> Iterator[_ArchiveReader]:
    # By content: the name of an archive is whatever its sender has typed.
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened_zip:
            yield _ZipReader(opened_zip)
    else:
        with tarfile.open(archive) as opened_tar:
            yield _TarReader(opened_tar)


class _TarReader:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def entries(self) -> Iterator[_Member]:
        for member in self._tar:
            refusal = "" if member.isreg() or member.isdir() else "is a link or a device"
            yield _Member(member.name, member.size if member.isreg() else 0, member.isdir(), refusal)

    def files(self) -> Iterator[tuple[str, IO[bytes]]]:
        for member in self._tar.getmembers():
            if member.isreg():
                source = self._tar.extractfile(member)
                assert source is not None, "extractfile gives a file for every regular member"
                yield member.name, source


class _ZipReader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive

    def entries(self) -> Iterator[_Member]:
        for info in self._zip.infolist():
            # The upper half holds the Unix mode; archives made on Windows leave it 0.
            kind = stat.S_IFMT(info.external_attr >> 16)
            refusal = ""
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                refusal = "is a link or a device"
            elif info.flag_bits & 0x1:
                refusal = "is encrypted"
            yield _Member(info.filename, info.file_size, info.is_dir(), refusal)

    def files(self) -> Iterator[tuple[str, IO[bytes]]]:
        for info in self._zip.infolist():
            if not info.is_dir():
                with self._zip.open(info) as source:
                    yield info.filename, source
