"""Each room imports only what the extras that bring it install: the base needs no torch, the edge no database."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"sedna", "ianvs", "globalmanager", "localcontroller"}

DISTRIBUTIONS = {"PIL": "pillow", "yaml": "pyyaml", "starlette": "fastapi", "pydantic_core": "pydantic"}
"""Where the import name is another: the last two belong to the library that they are the ground of."""

ROOMS = {
    "lib/sedna/algorithms/continual": "train",
    "lib/sedna/algorithms/detection": "train",
    "lib/sedna/algorithms/training": "train",
    "lib/sedna/backend/torch.py": "train",
    "lib/sedna/core/staging/torchrun.py": "train",
    "lib/sedna/datasources/csv.py": "train",
    "lib/sedna/common/web.py": "edge",
    "lib/sedna/common/web_guard.py": "edge",
    "lib/sedna/edge": "edge",
    "lib/ianvs": "train",
    "controllers/localcontroller": "edge",
    "controllers/globalmanager/cli": "",
    "controllers/globalmanager/cluster": "k8s",
    "controllers/globalmanager/operator": "k8s",
    "controllers/globalmanager/db/postgres.py": "k8s",
    "controllers/globalmanager": "control",
    "lib/sedna": "",
}
"""The extra of every room; of two that fit, the first counts."""


def room_of(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    return next(room for room in ROOMS if name.startswith(room))


def imported(node: ast.AST) -> Iterator[str]:
    """Root names of what a module imports anywhere, but for its type checker only."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        return
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module.partition(".")[0]
    for child in ast.iter_child_nodes(node):
        yield from imported(child)


def declared(extra: str) -> set[str]:
    """Distributions that an extra installs, the base's included."""
    listed = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else ())]
    found = set()
    for entry in listed:
        own = re.fullmatch(r"sedna-il\[([\w,]+)\]", entry)
        if own:
            found.update(*(declared(name) for name in own[1].split(",")))
        else:
            found.add(re.split(r"[<>=;\[ ]", entry)[0].lower())
    return found


def needed(room: str) -> dict[str, Path]:
    found = {}
    for path in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "controllers").rglob("*.py")]:
        if room_of(path) == room:
            for name in imported(ast.parse(path.read_text())):
                if name not in sys.stdlib_module_names and name not in OURS:
                    found[DISTRIBUTIONS.get(name, name.replace("_", "-")).lower()] = path
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_its_extra_installs(room):
    found, there = needed(room), declared(ROOMS[room])
    assert found.keys() <= there, {name: str(found[name]) for name in found.keys() - there}


def test_the_base_has_no_framework_no_server_and_no_database():
    heavy = {"torch", "torchvision", "fastapi", "uvicorn", "sqlalchemy", "onnxruntime", "onnx", "pandas", "matplotlib"}
    assert not heavy & declared("")
    assert not {"torch", "torchvision"} & declared("control")


def test_everything_that_is_declared_is_used_or_runs_beside():
    used = set().union(*(needed(room) for room in ROOMS))
    beside = {"fastapi-offline", "python-multipart", "onnxscript", "kopf"}  # files, plug-ins
    everything = set().union(*(declared(extra) for extra in ("", "edge", "train", "control", "k8s")))
    assert everything - used <= beside
