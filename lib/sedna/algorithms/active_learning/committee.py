"""Query by committee: vote entropy ``- sum_c (V_c / M) ln (V_c / M)``, where V_c members of M vote for class c.

The members may be models of a bagging, dropout samples, or snapshots of one training. Equal votes are told apart by the
mean entropy of the members. Source: S. Argamon-Engelson and I. Dagan, 1999.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning.checks import Floats, probabilities
from sedna.algorithms.active_learning.entropy import row_entropy
from sedna.common.errors import DataError

_MIN_MEMBERS = 3
_TIE = 1e-6


def committee_entropy(p_MNC: npt.ArrayLike) -> Floats:
    """Scores ``(N,)`` from the predictions of M members.

    Raises:
        DataError: not probabilities, or fewer than 3 members.
    """
    p = probabilities(p_MNC, axes=3)
    members, _, classes = p.shape
    if members < _MIN_MEMBERS:
        raise DataError(f"a committee of {members}", where="probabilities", hint=f"{_MIN_MEMBERS} or more members")
    votes_MN = p.argmax(2)
    shares_NC = np.stack([(votes_MN == label).mean(0) for label in range(classes)], axis=1)
    return np.asarray(row_entropy(shares_NC) + _TIE * row_entropy(p).mean(0))
