"""Nobody opens a picture but `sedna.common.pictures`: a second way in would see other pixels."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOOR = ROOT / "lib/sedna/common/pictures"
FILES = sorted(path for room in ("lib", "controllers", "examples") for path in (ROOT / room).rglob("*.py"))
MAKERS = {"examples/01_pcb_inspection/make_subset.py", "examples/01_pcb_inspection/make_initial_model.py"}
"""Programs that made the shipped data, from pictures of a pinned archive."""


def opens(tree: ast.Module) -> list[int]:
    """Lines with ``Image.open`` and its like."""
    names = {"open", "imread", "decode_image", "imdecode"}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("Image", "PIL", "cv2", "imageio")
        and node.func.attr in names
    ]


def test_nobody_else_opens_a_picture():
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        if not path.is_relative_to(DOOR) and str(path.relative_to(ROOT)) not in MAKERS
        for line in opens(ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize("text", ["Image.open(path)", "cv2.imread(path)"])
def test_the_search_finds_one(text):
    assert opens(ast.parse(text)) == [1]
