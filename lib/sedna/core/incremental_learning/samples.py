"""Index lines of the platform as samples of the built-in worker."""

from __future__ import annotations

import posixpath
import re
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from sedna.common.errors import DataError
from sedna.common.file_ops import FileOps
from sedna.datasources import TxtDataParse

__all__ = ["SampleFolder", "SampleLine", "read_index"]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOXES = re.compile(rf"^(?P<path>.*?\S)(?P<boxes>(?:\s+(?:{_NUMBER},){{4}}[^,\s]+)+)\s*$")


class SampleFolder(Protocol):
    """A folder in which relative sample paths begin."""

    def find(self, name: str) -> str | None:
        """The path of a sample on this machine, or None: there is no such sample."""

    def __str__(self) -> str:
        """The folder, for messages."""


class _LocalFolder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, name: str) -> str | None:
        path = self._path / name
        return str(path) if path.is_file() else None

    def __str__(self) -> str:
        return str(self._path)


class _StoredFolder:
    """A folder on S3. `find` only notes what is wanted: `bring` fetches all of it at once, several at a time."""

    def __init__(self, address: str, copies: Path) -> None:
        from sedna.common import transfer

        self._address = address
        self._copies = copies
        self._names = frozenset(transfer.s3_names(f"{address}/", recursive=True))
        self._wanted: dict[str, Path] = {}

    def find(self, name: str) -> str | None:
        # Lines name a sample as "./a.jpg" or by its whole address too; an object has one name.
        name = posixpath.normpath(name.removeprefix(f"{self._address}/"))
        if name not in self._names:
            return None
        return str(self._wanted.setdefault(f"{self._address}/{name}", self._copies / name))

    def bring(self) -> None:
        """Fetch what was found."""
        from sedna.common import transfer

        transfer.s3_fetch(self._wanted, self._copies)

    def __str__(self) -> str:
        return self._address


class SampleLine:
    """Splits ``path x1,y1,x2,y2,label ...``, ``path label`` or ``path`` (a negative) into path and label text.

    Paths may hold spaces. A relative path is looked for in ``folders``, in this order; an address has to be below one.

    Raises (when called):
        DataError: there is no such file.
    """

    def __init__(self, folders: Sequence[Path | SampleFolder]) -> None:
        self.folders = tuple(_LocalFolder(folder) if isinstance(folder, Path) else folder for folder in folders)

    def __call__(self, line: str) -> tuple[str, str]:
        boxes = _BOXES.match(line)
        if boxes:
            return self._existing(boxes["path"], line), " ".join(boxes["boxes"].split())
        # The whole line first: a name may end in a number, as "frame 7.png" or "b 7" do.
        if self._find(line):
            return self._existing(line, line), ""
        path, _, label = line.rpartition(" ")
        return (self._existing(path.rstrip(), line), label) if path else (self._existing(line, line), "")

    def _find(self, name: str) -> str | None:
        if Path(name).is_absolute():
            return name if Path(name).is_file() else None
        return next((found for folder in self.folders if (found := folder.find(name)) is not None), None)

    def _existing(self, name: str, line: str) -> str:
        found = self._find(name)
        if found is None:
            folders = ", ".join(str(folder) for folder in self.folders)
            raise DataError(f"no such sample file: {name!r}", where=f"line {line[:120]!r}", hint=f"below {folders}")
        return found


def read_index(index: str, data_type: str, original: str | None = None) -> TxtDataParse:
    """The samples of an index: ``x`` the absolute or found paths, ``y`` the label texts, empty for a negative.

    Samples of an index on S3 are brought here, and go with the answer.

    Args:
        index: path or address of the index.
        data_type: "train" or "eval".
        original: index in whose folder relative paths begin; the folder of ``index`` comes second.

    Raises:
        NotFoundError: there is no such index.
        DataError: a sample file is missing, or the index is empty.
        AuthError, StoreUnavailableError: the object store does not give them.
    """
    data = TxtDataParse(data_type=data_type)
    folders = _folders([name for name in (original, index) if name], data)
    data.process_func = SampleLine(folders)
    data.parse(index)
    if not len(data):
        raise DataError("holds no sample", where=index, hint="one line per sample")
    # After every line was read: one wrong line must not cost the transfer of the others.
    for folder in folders:
        if isinstance(folder, _StoredFolder):
            folder.bring()
    return data


def _folders(indexes: Sequence[str], owner: TxtDataParse) -> list[Path | _StoredFolder]:
    """The folders of the indexes. What is brought from S3 is deleted with ``owner``.

    Over http(s) a folder cannot be listed: its samples are none of these.
    """
    folders: list[Path | _StoredFolder] = []
    for index in dict.fromkeys(name.rpartition("/")[0] if FileOps.is_remote(name) else name for name in indexes):
        if index.startswith("s3://"):
            copies = tempfile.mkdtemp(prefix="sedna-samples-")
            weakref.finalize(owner, shutil.rmtree, copies, ignore_errors=True)
            folders.append(_StoredFolder(index, Path(copies)))
        elif not FileOps.is_remote(index):
            folders.append(Path(index.removeprefix("file://")).parent)
    return folders
