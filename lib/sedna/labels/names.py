"""Names of images as other tools write them: for a look-up, never to open anything by."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

__all__ = ["image_name", "sample_ids_in"]

_HEX_RUN = re.compile(r"[0-9a-f]{64,}")
_ID_LENGTH = 64
_DRIVE = re.compile(r"^[A-Za-z]:")


def image_name(text: str) -> str:
    r"""A name as a relative path with "/" that leads nowhere else; "" where nothing is left of it.

    ``images\a.png`` is ``images/a.png``, ``..\..\upload\4\a.png`` is ``upload/4/a.png``, and of a URL the path counts,
    without query. A name that is such a path already stays as it is.
    """
    name = text.strip()
    if "://" in name:
        try:
            name = unquote(urlsplit(name).path)
        except ValueError:  # brackets that are no address
            return ""
    name = _DRIVE.sub("", name.replace("\\", "/"))
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    if any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in name):
        return ""
    return "/".join(parts)


def sample_ids_in(name: str) -> tuple[str, ...]:
    """The sample ids that the last component of a name may hold, whatever tools have put before and behind it.

    Upper case is read as well. More than one where digits stand beside an id that could belong to it; which of them
    is a sample, only the job knows.
    """
    last = image_name(name).rpartition("/")[2].lower()
    runs = (found.group() for found in _HEX_RUN.finditer(last))
    ids = (run[start : start + _ID_LENGTH] for run in runs for start in range(len(run) - _ID_LENGTH + 1))
    return tuple(dict.fromkeys(ids))
