"""Samples that an attempt has gone on without: what the store has of them is missing or damaged."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, ValidationError

from sedna.common.errors import IntegrityError, NotFoundError
from sedna.common.log import LOGGER
from sedna.common.types import Sha256, Value
from sedna.common.validation import first_fault
from sedna.core.staging.order import WorkOrder
from sedna.store.file_sets import FileStore

__all__ = ["check_problems", "load_problems", "store_problems"]

_MOST = 0.5
"""Share of its samples that an attempt may go on without: where more are missing, it is the store that is damaged."""


class _SampleProblems(Value):
    samples: dict[Sha256, str] = Field(description="what is wrong, by sample id")


def store_problems(order: WorkOrder, store: FileStore, problems: Mapping[str, str]) -> None:
    """Say which samples are left out; nothing is written where all are there."""
    if problems:
        LOGGER.warning("%s: %d samples are left out: %s", order.worker, len(problems), next(iter(problems.values())))
        told = _SampleProblems(samples=dict(sorted(problems.items())))
        store.put(_key(order.prefix), told.model_dump_json().encode())


def load_problems(store: FileStore, prefix: str) -> dict[str, str]:
    """What is wrong with samples, by their ids, as an attempt has found it.

    Raises:
        IntegrityError: its list is damaged.
    """
    try:
        return _SampleProblems.model_validate_json(store.get(_key(prefix))).samples
    except NotFoundError:
        return {}
    except ValidationError as error:
        raise IntegrityError(f"no list of problems: {first_fault(error)}", where=_key(prefix)) from error


def check_problems(problems: Mapping[str, str], wanted: int) -> None:
    """Raise `IntegrityError` if too few of the ``wanted`` samples are there for a result that says anything."""
    if len(problems) > wanted * _MOST:
        example = next(iter(problems.values()))
        raise IntegrityError(
            f"{len(problems)} of {wanted} samples are missing from the store or damaged, such as {example}",
            where="the object store",
            hint="bring its objects back, or upload these samples again",
        )


def _key(prefix: str) -> str:
    return f"{prefix}problems.json"
