"""Which process of a group this one is."""

import pytest

from sedna.common.errors import SpecError
from sedna.common.process_rank import ALONE, ProcessRank, process_rank


def test_without_a_launcher_a_process_is_alone():
    assert process_rank({}) == ALONE
    assert process_rank({"WORLD_SIZE": "4"}) == ALONE, "a size alone says nothing"
    assert ALONE.is_leader


def test_the_launchers_variables_are_read():
    env = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert process_rank(env) == ProcessRank(3, 4, 1, 2)
    assert not process_rank(env).is_leader


def test_without_local_numbers_each_has_a_machine_of_its_own():
    assert process_rank({"RANK": "1", "WORLD_SIZE": "2"}) == ProcessRank(1, 2, 0, 1)


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"RANK": "one", "WORLD_SIZE": "2"}, "RANK: 'one' is no number"),
        ({"RANK": "0", "WORLD_SIZE": "-2"}, "WORLD_SIZE: '-2' is no number"),
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK: 2 of 2 processes"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(env, words):
    with pytest.raises(SpecError, match=words):
        process_rank(env)
