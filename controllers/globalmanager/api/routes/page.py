"""The page: files for everybody, without any data. What it shows it asks for under ``/api/``, signed in."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

from globalmanager.api.page import HOW_TO_BUILD, Page
from sedna.common.errors import NotFoundError

router = APIRouter(include_in_schema=False)

HOME: Final = "/ui/"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""No script but our own files, no text that becomes one, and nobody else's server."""


@router.api_route("/", methods=["GET", "HEAD"])
@router.api_route("/ui", methods=["GET", "HEAD"])
def to_page() -> Response:
    return RedirectResponse(HOME, status_code=307)


@router.api_route("/ui/{path:path}", methods=["GET", "HEAD"])
def read_page(request: Request, path: str) -> Response:
    page: Page = request.app.state.page
    if page.lack is not None:
        return PlainTextResponse(f"The service runs without its page: {page.lack}\n\n{HOW_TO_BUILD}.\n", 503)
    file = page.find(path)
    if file is None:
        raise NotFoundError("the page has no such file", where=f"{HOME}{path}")
    packed = file.packed if _takes_gzip(request) else None
    # Two forms of one file are two things to a cache.
    tag = f'"{file.etag}-gz"' if packed is not None else f'"{file.etag}"'
    headers = {
        "Content-Security-Policy": POLICY,
        "Cache-Control": "public, max-age=31536000, immutable" if file.immutable else "no-cache",
        "ETag": tag,
        "Vary": "Accept-Encoding",
    }
    if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=headers)
    if packed is not None:
        headers["Content-Encoding"] = "gzip"
    return Response(packed if packed is not None else file.content, headers=headers, media_type=file.media_type)


def _takes_gzip(request: Request) -> bool:
    for part in request.headers.get("accept-encoding", "").split(","):
        name, _, weight = part.partition(";")
        if name.strip().lower() in ("gzip", "*") and weight.replace(" ", "") not in ("q=0", "q=0.0"):
            return True
    return False
