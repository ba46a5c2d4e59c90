"""What a documentation page must be in a factory without internet, asked of the service and of the edge alike."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from urllib.parse import urljoin

import httpx


def check_documentation(get: Callable[[str], httpx.Response]) -> str:
    """Load ``/docs`` and everything that it names from the application itself; returns the OpenAPI description."""
    page = get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text) + re.findall(r"url: '([^']+)'", page.text)
    assert len(named) == 4, named
    assert "//" not in "".join(named), "no other host, and no absolute address that a proxy would break"
    found = {name: get(urljoin("/docs", name)) for name in named}
    assert {name: answer.status_code for name, answer in found.items()} == dict.fromkeys(named, 200)
    types = {
        name.rpartition(".")[2]: answer.headers["content-type"].partition(";")[0] for name, answer in found.items()
    }
    assert types == {"js": "text/javascript", "css": "text/css", "png": "image/png", "json": "application/json"}
    assert "SwaggerUIBundle" in found["docs/swagger-ui-bundle.js"].text
    assert '"validatorUrl": null' in page.text, "the viewer sends the description nowhere"
    _check_policy(page)
    return found["openapi.json"].text


def _check_policy(page: httpx.Response) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in page.headers["content-security-policy"].split(";"))
    assert rules == {
        "default-src": "'none'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "style-src": "'self'",
        "script-src": f"'self' 'sha256-{digest}'",
        "frame-ancestors": "'none'",
    }
