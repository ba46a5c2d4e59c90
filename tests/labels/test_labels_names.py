import pytest

from sedna.labels.classes import ClassNames
from sedna.labels.names import image_name, sample_ids_in

ID = "0a1b" * 16


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.png", "a.png"),
        ("s/a b.png", "s/a b.png"),
        ("images\\a.png", "images/a.png"),
        ("..\\..\\media\\upload\\4\\a.png", "media/upload/4/a.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\data\\a.png", "data/a.png"),
        ("./a//b.png", "a/b.png"),
        ("https://tool/data/4/b%20c.png?token=x/y.png#z", "data/4/b c.png"),
        ("s3://bucket/a.png", "a.png"),
        ("https://[a.png", ""),
        ("..", ""),
        ("", ""),
        ("a\nb.png", ""),
        ("a\0.png", ""),
        ("a\ud800.png", ""),
    ],
)
def test_a_name_is_a_relative_path_that_leads_nowhere_else(text: str, name: str) -> None:
    assert image_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        f"{ID}.png",
        f"images\\{ID}.png",
        f"..\\..\\media\\upload\\4\\cb0618f6-{ID}.png",
        f"{ID}_png.rf.{'9' * 32}.jpg",
        f"{ID.upper()}.PNG",
        f"https://tool/data/{ID}.png?sig={'c' * 64}",
        ID,
    ],
)
def test_a_sample_id_is_found_wherever_tools_put_it(text: str) -> None:
    assert sample_ids_in(text) == (ID,)


def test_what_may_be_an_id_is_offered_and_the_folder_is_none() -> None:
    assert ID in sample_ids_in(f"ab{ID}.png")
    assert len(sample_ids_in(f"ab{ID}.png")) == 3
    assert sample_ids_in(f"{ID}/a.png") == ()
    assert sample_ids_in(f"{ID[:-1]}.png") == ()


def test_classes_of_a_job_that_names_none_are_those_of_the_first_file() -> None:
    classes = ClassNames.of(())
    classes.learn(["dog", "cat"])
    classes.learn(["cat", "cow", "dog", "cow"])
    assert classes.names == ["dog", "cat", "cow"]
    assert (classes.label("cat"), classes.label("bird")) == (1, None)
    named = ClassNames.of(("a",), found=("b",))
    named.learn(["c"])
    assert named.names == ["a"]
    assert "the classes are a; rename it in the file, or add it at the end of the job's classNames" in named.hint
