"""Index lines of the platform as samples of the built-in worker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sedna.common.errors import DataError
from sedna.datasources import TxtDataParse

__all__ = ["SampleLine", "read_index"]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOXES = re.compile(rf"^(?P<path>.*?\S)(?P<boxes>(?:\s+(?:{_NUMBER},){{4}}[^,\s]+)+)\s*$")


class SampleLine:
    """Splits ``path x1,y1,x2,y2,label ...``, ``path label`` or ``path`` (a negative) into path and label text.

    Paths may hold spaces. A relative path is looked for in ``folders``, in this order.

    Raises (when called):
        DataError: there is no such file.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)

    def __call__(self, line: str) -> tuple[str, str]:
        boxes = _BOXES.match(line)
        if boxes:
            return self._existing(boxes["path"], line), " ".join(boxes["boxes"].split())
        if self._find(line):
            return self._existing(line, line), ""
        path, _, label = line.rpartition(" ")
        return (self._existing(path.rstrip(), line), label) if path else (self._existing(line, line), "")

    def _find(self, name: str) -> str | None:
        candidates = [Path(name)] if Path(name).is_absolute() else [folder / name for folder in self.folders]
        return next((str(path) for path in candidates if path.is_file()), None)

    def _existing(self, name: str, line: str) -> str:
        found = self._find(name)
        if found is None:
            folders = ", ".join(str(folder) for folder in self.folders)
            raise DataError(f"no such sample file: {name!r}", where=f"line {line[:120]!r}", hint=f"below {folders}")
        return found


def read_index(index: str, data_type: str, original: str | None = None) -> TxtDataParse:
    """The samples of an index: ``x`` the absolute or found paths, ``y`` the label texts, empty for a negative.

    Args:
        index: path of the index.
        data_type: "train" or "eval".
        original: index in whose folder relative paths begin; the folder of ``index`` comes second.

    Raises:
        NotFoundError: there is no such index.
        DataError: a sample file is missing, or the index is empty.
    """
    folders = [Path(name).parent for name in (original, index) if name]
    data = TxtDataParse(data_type=data_type, func=SampleLine(folders))
    data.parse(index)
    if not len(data):
        raise DataError("holds no sample", where=index, hint="one line per sample")
    return data
