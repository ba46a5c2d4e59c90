"""Classes by name where people meet them."""

import pytest

from globalmanager.cli.class_names import class_number, label_by_name, predicted_by_name
from sedna.common.errors import SpecError

NAMES = ["open", "short", "7"]


def test_a_class_is_given_by_name_or_number() -> None:
    assert [class_number(name, NAMES, "--class") for name in ("open", "1", "7")] == [0, 1, 2]
    assert class_number("4", [], "--class") == 4
    for wrong in ("shrt", "3", "-1"):
        with pytest.raises(SpecError, match="no class") as caught:
            class_number(wrong, NAMES, "--class")
        assert caught.value.hint == "classes: open, short, 7"


def label(**annotation: object) -> dict[str, object]:
    return {"label": {"annotation": {"boxes": [], "label": None, **annotation}}}


def test_a_label_is_read_with_names() -> None:
    read = label_by_name(NAMES)
    assert read({"label": None}) is None
    assert read(label(label=1)) == "short"
    assert read(label(label=5)) == "5"
    assert read(label()) == "nothing there"
    assert read(label(boxes=[{"label": 1}, {"label": 0}, {"label": 1}])) == "1 open, 2 short"
    assert [predicted_by_name(NAMES)({"predicted": number}) for number in (-1, 0)] == ["nothing there", "open"]
