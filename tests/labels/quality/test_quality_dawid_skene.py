"""The example's numbers are those of crowd-kit 1.4.2 at the same number of rounds."""

from __future__ import annotations

import numpy as np
import pytest

from sedna.labels.quality import class_consensus, dawid_skene

# workers a b c: t1 0 0 1, t2 1 1 1, t3 0 0 0, t4 1 0 1, t5 0 0 1
TASKS = np.repeat(np.arange(5), 3)
PEOPLE = np.tile(np.arange(3), 5)
LABELS = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 1])


@pytest.mark.parametrize(
    ("rounds", "figures"),
    [
        (1, (0.792880, 0.820513, 0.553050, 0.935092, 0.814637, 0.552523, 0.638369)),
        (10, (0.999420, 0.996727, 0.600423, 0.998910, 0.999420, 0.499471, 0.666901)),
        (12, (0.999855, 0.998543, 0.600234, 0.999515, 0.999855, 0.499708, 0.666796)),
    ],
)
def test_after_a_fixed_number_of_rounds(rounds: int, figures: tuple[float, ...]) -> None:
    found = dawid_skene(TASKS, PEOPLE, LABELS, classes=2, rounds=rounds, tol=0.0)
    a, b, c = found.errors_PKK
    said = (found.posterior_TK[0, 0], found.posterior_TK[3, 1], found.prior_K[0], a[0, 0], a[1, 1], b[0, 1], c[1, 0])
    assert said == pytest.approx(figures, abs=1e-6)
    assert found.posterior_TK[4, 0] == pytest.approx(found.posterior_TK[0, 0])
    assert found.rounds == rounds


def test_it_stops_when_a_round_gains_little() -> None:
    found = dawid_skene(TASKS, PEOPLE, LABELS, classes=2)
    assert 5 < found.rounds < 30
    assert found.labels.tolist() == [0, 1, 0, 1, 0]


def test_columns_of_a_persons_errors_are_distributions() -> None:
    found = dawid_skene(TASKS, PEOPLE, LABELS, classes=2)
    np.testing.assert_allclose(found.errors_PKK.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.posterior_TK.sum(axis=1), 1.0)


def test_a_class_that_nobody_names_is_no_answer() -> None:
    found = dawid_skene(TASKS, PEOPLE, LABELS, classes=4)
    assert found.labels.tolist() == [0, 1, 0, 1, 0]
    assert found.posterior_TK[:, 2:].max() == 0.0


def crowd(seed: int, people: int = 5, tasks: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, tasks)
    task, person = (grid.ravel() for grid in np.meshgrid(np.arange(tasks), np.arange(people), indexing="ij"))
    # Two are careful; three call most of class 2 class 1.
    slip = (person >= 2) & (truth[task] == 2) & (rng.random(len(task)) < 0.8)
    label = np.where(slip, 1, truth[task])
    chance = rng.random(len(task)) < 0.05
    return task, person, np.where(chance, rng.integers(0, 3, len(task)), label), truth


@pytest.mark.parametrize("seed", range(3))
def test_it_sees_through_a_majority_that_errs_in_one_way(seed: int) -> None:
    task, person, label, truth = crowd(seed)
    found = class_consensus(task, person, label, classes=3)
    votes = np.zeros((200, 3))
    np.add.at(votes, (task, label), 1)
    assert (found.labels == truth).mean() > (votes.argmax(axis=1) == truth).mean() + 0.1
    assert found.errors_PKK[3, 1, 2] > 0.6


def test_of_people_with_few_answers_the_majority_decides() -> None:
    found = class_consensus(TASKS, PEOPLE, LABELS, classes=2)
    assert found.rounds == 0
    assert found.posterior_TK[:, 1] == pytest.approx([1 / 3, 1, 0, 2 / 3, 1 / 3])


def test_without_any_answers_there_is_no_item() -> None:
    found = class_consensus([], [], [], classes=2)
    assert found.posterior_TK.shape == (0, 2)
    assert found.prior_K.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("tasks", "labels", "message"),
    [([0, 0], [0, 2], "0 to 2 of 2 classes"), ([0, 2], [0, 1], "has no answer"), ([0], [0, 1], "one each")],
)
def test_wrong_input_is_named(tasks: list[int], labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dawid_skene(tasks, [0] * len(tasks), labels, classes=2)
