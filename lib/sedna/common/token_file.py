"""Bearer tokens in files."""

from __future__ import annotations

import re
from pathlib import Path

from sedna.common.errors import AuthError

__all__ = ["check_token", "read_token_file"]

_TOKEN = re.compile(r"[!-~]+")  # what a header may carry: visible ASCII, no blank
_HINT = "the token alone, as 'sedna edge register NAME > FILE' writes it"
_MAX_BYTES = 4096


def check_token(token: str, where: str) -> str:
    """The token, if it can be one. Messages never show it.

    Raises:
        AuthError: it is empty, has blanks or several lines, or characters that no header carries.
    """
    # httpx would raise an error of its own that shows the token.
    if not _TOKEN.fullmatch(token):
        raise AuthError("this is no token", where=where, hint=_HINT)
    return token


def read_token_file(path: Path) -> str:
    """The token in a file, without the blanks and line ends around it.

    Raises:
        AuthError: the file cannot be read, or holds something else than one token.
    """
    try:
        with path.open("rb") as file:
            # Bounded: the path may name a log or a device by mistake.
            text = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise AuthError(f"the token cannot be read: {error.strerror}", where=str(path)) from error
    if len(text) > _MAX_BYTES:
        raise AuthError("this is no token", where=str(path), hint=_HINT)
    return check_token(text.decode("ascii", errors="replace").strip(), str(path))
