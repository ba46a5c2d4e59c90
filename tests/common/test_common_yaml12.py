import json
import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import NotFoundError, SpecError, TooLargeError
from sedna.common.yaml12 import MAX_BYTES, load_yaml, load_yaml_all, load_yaml_file


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("02:00", "02:00"),
        ("20:00", "20:00"),
        ("24:00", "24:00"),
        ("on", "on"),
        ("off", "off"),
        ("yes", "yes"),
        ("no", "no"),
        ("NO", "NO"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("12", 12),
        ("-12", -12),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("1.2.3", "1.2.3"),
        ("'12'", "12"),
        ("0b11", "0b11"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, value):
    loaded = load_yaml(f"key: {text}\n")["key"]
    assert loaded == value
    assert type(loaded) is type(value)


def test_nan():
    assert math.isnan(load_yaml("a: .nan")["a"])


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text("abc019:.-~_ eno", max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc01:no", min_size=1), inner, max_size=3),
        max_leaves=10,
    )
)
def test_json_is_yaml(value):
    assert load_yaml(json.dumps({"v": value}))["v"] == value


def test_merge_keys_and_documents():
    assert load_yaml("b: &b {x: 1, y: 2}\nc:\n  <<: *b\n  y: 3\n")["c"] == {"x": 1, "y": 3}
    assert load_yaml_all("a: 1\n---\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]
    assert load_yaml("") is None


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", "job.yaml:4", "key 'c' was already given in line 3"),
        ("a: [1\nb: 2", "job.yaml:2", "expected ',' or ']'"),
        ("a: 1\n b: 2", "job.yaml:2", "not allowed here"),
        ("x: !!python/object:os.system {}", "job.yaml:1", "python/object"),
        ("&a [*a]", "job.yaml:1", "contains itself"),
        ("? [1, {}]\n: 2", "job.yaml:1", "plain value"),
        ("a: \x01", "job.yaml", "not allowed"),
        ("a: 1\n---\nb: 2\n", "job.yaml", "2 documents"),
        ("[" * 5000, "job.yaml", "nested too deeply"),
    ],
)
def test_errors_name_file_line_and_problem(text, where, message):
    with pytest.raises(SpecError, match=r"^job\.yaml") as caught:
        load_yaml(text, "job.yaml")
    assert caught.value.where == where
    assert message in caught.value.message


def test_bytes_that_are_not_text():
    with pytest.raises(SpecError):
        load_yaml(b"a: \xff\xfe\xfa", "job.yaml")


def test_bombs_are_refused():
    lines = ["a: &a [" + "x," * 8 + "x]"]
    lines += [f"{new}: &{new} [" + f"*{old}," * 8 + f"*{old}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(TooLargeError, match="aliases"):
        load_yaml("\n".join(lines))
    with pytest.raises(TooLargeError, match=f"at most {MAX_BYTES}"):
        load_yaml(" " * (MAX_BYTES + 1))


def test_files(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump({"a": 1}))
    assert load_yaml_file(path) == [{"a": 1}]
    path.write_text("a: 1\na: 2\n")
    with pytest.raises(SpecError) as caught:
        load_yaml_file(path)
    assert caught.value.where == f"{path}:2"
    with pytest.raises(NotFoundError):
        load_yaml_file(tmp_path / "none.yaml")
    with pytest.raises(NotFoundError):
        load_yaml_file(tmp_path)
