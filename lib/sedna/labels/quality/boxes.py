"""Boxes that several people have drawn in one picture: how far they agree, and what most of them mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sedna.common.boxes import iou_matrix
from sedna.common.types import Box
from sedna.labels.quality.assignment import best_pairs

__all__ = ["IOU", "NOTHING", "BoxAgreement", "BoxCluster", "box_agreement", "consensus_boxes", "corners"]

IOU = 0.5
"""From this overlap on two boxes are taken for one object."""

NOTHING = -1
"""The class of an object that one of two people has not drawn, for a kappa over all objects."""


@dataclass(frozen=True)
class BoxAgreement:
    """How far two people agree on the boxes of one picture.

    Attributes:
        pairs: positions in the first and in the second list, and the overlap; the pairing with the largest sum.
        mean_iou: of the pairs; None without any. It does not see boxes that only one has drawn.
        f1: twice the pairs over all boxes.
        agreement: sum of the overlaps over the larger number of boxes: the one to compare with a floor.
        classes: what each of the two says of every object, `NOTHING` where one has no box: for `cohen_kappa`.

    Two empty lists agree fully; one empty list and one that is not, not at all.
    """

    pairs: tuple[tuple[int, int, float], ...]
    mean_iou: float | None
    f1: float
    agreement: float
    classes: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class BoxCluster:
    """One object as several people have drawn it.

    Attributes:
        corners: x1, y1, x2, y2, the median of each.
        votes: the class that each of them names, by position of the person; an object has at most one box of each.
    """

    corners: tuple[float, float, float, float]
    votes: tuple[tuple[int, int], ...]

    @property
    def label(self) -> int | None:
        """The class that most name; None where two are named equally often."""
        ranked = Counter(label for _, label in self.votes).most_common(2)
        return None if len(ranked) == 2 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def box_agreement(first: Sequence[Box], second: Sequence[Box], *, iou: float = IOU) -> BoxAgreement:
    """Compare the boxes of two people. Boxes are paired by place alone: of another class is still the same object."""
    overlap = iou_matrix(corners(first), corners(second))
    pairs = _pairs(overlap, iou)
    total = sum(pair[2] for pair in pairs)
    boxes = len(first) + len(second)
    of_second = {i: j for i, j, _ in pairs}
    taken = set(of_second.values())
    classes = [(box.label, second[of_second[i]].label if i in of_second else NOTHING) for i, box in enumerate(first)]
    classes += [(NOTHING, box.label) for j, box in enumerate(second) if j not in taken]
    return BoxAgreement(
        pairs=pairs,
        mean_iou=total / len(pairs) if pairs else None,
        f1=2 * len(pairs) / boxes if boxes else 1.0,
        agreement=total / max(len(first), len(second)) if boxes else 1.0,
        classes=tuple(classes),
    )


def consensus_boxes(answers: Sequence[Sequence[Box]], *, iou: float = IOU) -> tuple[BoxCluster, ...]:
    """The objects that more than half of the people have drawn.

    Boxes of two people belong together where `box_agreement` pairs them. The best pairs are joined first; a box joins
    an object only where it overlaps all boxes of it by ``iou``, so that a chain of neighbours is no object.

    Args:
        answers: the boxes of each person; the order of the people changes nothing but their positions.

    Returns:
        In the order of their corners.
    """
    owner = [person for person, boxes in enumerate(answers) for _ in boxes]
    flat = [box for boxes in answers for box in boxes]
    place = corners(flat)
    overlap = iou_matrix(place, place)
    clusters = _joined(place, overlap, owner, len(answers), iou)
    found = []
    for members in clusters:
        if 2 * len(members) > len(answers):
            x1, y1, x2, y2 = (float(value) for value in np.median(place[members], axis=0))
            votes = tuple(sorted((owner[member], flat[member].label) for member in members))
            found.append(BoxCluster((x1, y1, x2, y2), votes))
    return tuple(sorted(found, key=lambda cluster: cluster.corners))


def corners(boxes: Sequence[Box]) -> npt.NDArray[np.float64]:
    """The corners of boxes, (N, 4), also of none."""
    return np.array([(box.x1, box.y1, box.x2, box.y2) for box in boxes], dtype=np.float64).reshape(-1, 4)


def _pairs(overlap_NM: npt.NDArray[np.float64], iou: float) -> tuple[tuple[int, int, float], ...]:
    # What overlaps less is no pair, so it must not take a box away from one that is.
    usable = np.where(overlap_NM >= iou, overlap_NM, 0.0)
    return tuple((i, j, float(overlap_NM[i, j])) for i, j in best_pairs(usable))


def _joined(
    place_N4: npt.NDArray[np.float64],
    overlap_NN: npt.NDArray[np.float64],
    owner: Sequence[int],
    people: int,
    iou: float,
) -> list[list[int]]:
    """Positions of boxes that belong together."""
    of_person = [[box for box, person in enumerate(owner) if person == wanted] for wanted in range(people)]
    # Of equal overlaps the one that lies further up and left: the order of the people must not decide.
    edges = [
        (-shared, sorted((tuple(place_N4[mine[i]]), tuple(place_N4[theirs[j]]))), mine[i], theirs[j])
        for first, mine in enumerate(of_person)
        for theirs in of_person[first + 1 :]
        for i, j, shared in _pairs(overlap_NN[np.ix_(mine, theirs)], iou)
    ]
    cluster = {box: [box] for box in range(len(owner))}
    for _, _, a, b in sorted(edges):
        one, other = cluster[a], cluster[b]
        if one is other or {owner[box] for box in one} & {owner[box] for box in other}:
            continue
        if (overlap_NN[np.ix_(one, other)] >= iou).all():
            one += other
            cluster.update(dict.fromkeys(other, one))
    return list({id(members): members for members in cluster.values()}.values())
