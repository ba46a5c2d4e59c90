"""The label files that the address of a Dataset stands for.

Formats with one file for all images: the address is that file, and image names are relative to its folder. VOC and YOLO
have a file per image: the address is a folder (all label files below it), one label file, or, for YOLO, a ``data.yaml``
(its ``train``; for ``holdoutUrl`` its ``val``) or a list of pictures. Image names are relative to the folder that
holds labels and pictures: ``/data/boards`` for ``/data/boards/labels/train`` with ``/data/boards/images`` beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import unquote

from globalmanager.ingest.sources import SourceFolder, open_source
from sedna.common.archive import is_archive
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.label_format import LabelFormat
from sedna.common.patience import Patience
from sedna.labels.files import LabelFiles, OneFile
from sedna.labels.reading import is_one_file
from sedna.store import S3Settings

MAX_INDEX_BYTES = 256 << 20

_CACHED_BYTES = 64 << 20
"""Of small label files that are kept between two readings: one new image must not fetch all others' labels again."""

_TWINS = {
    LabelFormat.YOLO: (("labels", "images"), ("images", "labels")),
    LabelFormat.VOC: (("Annotations", "JPEGImages"), ("Annotations", "images"), ("JPEGImages", "Annotations")),
}
"""Folders that lie beside each other: of one that is named, and its twin."""
_LEVELS = 3
"""So far above the named file or folder such a pair is looked for."""


class LabelSource:
    """The label files of one address, from reading to reading."""

    def __init__(
        self, url: str, label_format: LabelFormat, where: str, s3: S3Settings | None, patience: Patience | None = None
    ) -> None:
        """Args: as `open_source`, whose errors it raises. ``where``: what messages call the address."""
        self._url = url
        self.start = ""
        """Which of the files are meant, relative to `folder`; as `sedna.labels.reading.read_labels` takes it."""
        self.folder: SourceFolder
        """Where images are looked for."""
        self._files: _FolderOfFiles | None = None
        if is_one_file(label_format):
            self.folder, self._name = open_source(url, where, s3, patience)
            return
        if is_archive(url):
            raise SpecError(
                f"{url!r} is an archive", where=where, hint="unpack it; 'sedna sample import' takes archives of labels"
            )
        self.folder, self.start = _with_pictures(url, label_format, where, s3, patience)
        self._files = _FolderOfFiles(self.folder)

    def look(self) -> tuple[LabelFiles, str]:
        """The files as they are now, and a text that changes whenever one of them does.

        Raises:
            NotFoundError, AuthError, TooLargeError, DataError: they cannot be had as they are.
            StoreUnavailableError: the store does not answer.
        """
        if self._files is None:
            data = self.folder.read(self._name, MAX_INDEX_BYTES)
            return OneFile(self._name, data, self._url), hashlib.sha256(data).hexdigest()
        # Listed before anything is read: what changes meanwhile has another mark at the next look.
        return self._files, self._files.refresh()

    def close(self) -> None:
        """Give back connections."""
        self.folder.close()


class _FolderOfFiles:
    """The files below a folder; label files that have not changed are read once."""

    def __init__(self, folder: SourceFolder) -> None:
        self._folder = folder
        self._marks: dict[str, str] = {}
        self._cache: dict[str, tuple[str, bytes]] = {}
        self._cached = 0

    def refresh(self) -> str:
        """List the files again. Returns a hash over names and marks."""
        self._marks = dict(self._folder.list())
        for name in [name for name, (mark, _) in self._cache.items() if self._marks.get(name) != mark]:
            self._cached -= len(self._cache.pop(name)[1])
        return hashlib.sha256(repr(self._marks).encode("utf-8", "surrogatepass")).hexdigest()

    def names(self) -> Sequence[str]:
        return list(self._marks)

    def read(self, name: str, max_bytes: int) -> bytes:
        if name in self._cache:
            return self._cache[name][1]
        data = self._folder.read(name, max_bytes)
        if name in self._marks and self._cached + len(data) <= _CACHED_BYTES:
            self._cache[name] = (self._marks[name], data)
            self._cached += len(data)
        return data

    def at(self, name: str) -> str:
        return self._folder.at(name)


def _with_pictures(
    url: str, label_format: LabelFormat, where: str, s3: S3Settings | None, patience: Patience | None
) -> tuple[SourceFolder, str]:
    """The folder that holds labels and pictures, and what is meant below it."""
    parts = url.rstrip("/").split("/")
    folder, name = open_source(url, where, s3, patience)
    try:
        kind = folder.kind(name)
    finally:
        folder.close()
    if kind is None:
        raise NotFoundError("there is no such file or folder", where=folder.at(name))
    root = len(parts) if kind == "folder" else len(parts) - 1
    for level in range(len(parts) - 1, max(len(parts) - 1 - _LEVELS, 0), -1):
        if _has_twin(parts[:level], parts[level], label_format, where, s3, patience):
            root = level
    folder, _ = open_source("/".join([*parts[:root], "_"]), where, s3, patience)
    return folder, unquote("/".join(parts[root:])) if "://" in url else "/".join(parts[root:])


def _has_twin(
    above: Sequence[str],
    name: str,
    label_format: LabelFormat,
    where: str,
    s3: S3Settings | None,
    patience: Patience | None,
) -> bool:
    for part, twin in _TWINS[label_format]:
        if part == name:
            folder, twin_name = open_source("/".join([*above, twin]), where, s3, patience)
            try:
                if folder.kind(twin_name) == "folder":
                    return True
            finally:
                folder.close()
    return False
