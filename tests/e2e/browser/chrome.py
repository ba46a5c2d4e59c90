"""Debian's Chromium through Playwright, as people use the page: its policy holds, and nobody else's server is asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

WEB = Path(__file__).parents[3] / "controllers/globalmanager/web"
DIST = WEB / "dist"
AXE = WEB / "node_modules/axe-core/axe.min.js"

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
# Chromium asks its vendor's hosts whatever the other flags say: the resolver's rule is what stops it.
FLAGS = (
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

_WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
});
"""

# Not through wait_for_function: that is eval, which the page's policy forbids.
_AXE = """async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.map((one) => `${one.impact} ${one.id}: ${one.nodes.map((node) => node.html).join(" | ")}`);
}"""


def missing() -> str | None:
    """What these tests lack here, or None."""
    if not Path(CHROMIUM).exists():
        return f"no {CHROMIUM}: apt-get install chromium"
    if not (DIST / "index.html").exists():
        return "the page is not built: make page"
    return None


@contextmanager
def chromium(home: Path) -> Iterator[Browser]:
    """A browser with a home folder of its own."""
    with sync_playwright() as play:
        environment: dict[str, Any] = {**os.environ, "HOME": str(home)}
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS), env=environment)
        try:
            yield browser
        finally:
            browser.close()


class Seat:
    """Somebody at a browser of the service at ``url``."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.context: BrowserContext = browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        self.context.set_default_timeout(20_000)
        self.context.add_init_script(_WATCH)
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str) -> Page:
        """A view by its address below ``/ui/``."""
        self.page.goto(f"{self.url}/ui/{path}")
        return self.page

    def sign_in(self, token: str) -> Page:
        """By a token, at the door."""
        page = self.open("login")
        page.get_by_label("Token, or a one-time link").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Jobs", level=1).wait_for()
        return page

    def check(self) -> None:
        """The policy was kept, no script failed, and only the service was asked."""
        assert self.page.evaluate("window.violations") == []
        assert self.errors == []
        others = {
            address for address in self.asked
            if urlsplit(address).scheme in ("http", "https") and not address.startswith(f"{self.url}/")
        }  # fmt: skip
        assert not others

    def axe(self) -> list[str]:
        """Serious and critical findings of axe on what is shown."""
        self.page.evaluate(AXE.read_text())
        found: list[str] = self.page.evaluate(_AXE)
        return [line for line in found if line.startswith(("serious", "critical"))]


class Board:
    """The labelling view, by mouse and keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.canvas: Locator = page.get_by_role("application")

    def wait(self) -> None:
        """A picture is there."""
        self.canvas.wait_for()

    @property
    def sample(self) -> str:
        """Which picture is shown."""
        address = self.canvas.locator("image").get_attribute("href") or ""
        return address.split("/samples/")[1].split("/")[0]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """A pixel of the picture, on the screen."""
        left, top, width, height = map(float, (self.canvas.get_attribute("viewBox") or "").split())
        frame = self.canvas.bounding_box()
        assert frame is not None
        return frame["x"] + (x - left) / width * frame["width"], frame["y"] + (y - top) / height * frame["height"]

    def begin(self, corner: tuple[float, float], to: tuple[float, float]) -> None:
        """Press at a corner and drag, without letting go."""
        mouse = self.page.mouse
        mouse.move(*self.place(*corner))
        mouse.down()
        mouse.move(*self.place(*to), steps=6)

    def draw(self, box: tuple[int, ...]) -> None:
        """A box by the mouse."""
        self.begin((box[0], box[1]), (box[2], box[3]))
        self.page.mouse.up()

    def press(self, *keys: str) -> None:
        """Keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def answer(self, key: str = "Enter") -> None:
        """Give the answer, a second time where it is asked for, and wait for the next picture or the queue's end."""
        shown = self.sample
        self.press(key)
        if self.page.locator(".question").count():
            self.press(key)
        gone = self.page.locator(f'image[href*="{shown}"]')
        gone.wait_for(state="detached")

    def boxes(self) -> Locator:
        """The list of boxes beside the picture."""
        return self.page.locator(".box-list li")
