"""Joining the processes that a launcher has started for one training, and passing on why one of them failed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch

from sedna.algorithms.training.device import DeviceName, choose_device
from sedna.algorithms.training.distributed import SINGLE, Group, GroupLostError
from sedna.common import errors
from sedna.common.errors import LinkUnavailableError, PermanentError, SednaError, SpecError
from sedna.common.process_rank import ProcessRank, process_rank

__all__ = ["TIMEOUT", "joined"]

TIMEOUT = "SEDNA_GROUP_TIMEOUT"
"""Variable: seconds that a process waits for the others, who may be validating or saving; 1800 without it."""

_FAILURE = "sedna/failure"


class _Meeting:
    """The key-value store by which the processes find each other, kept for later trainings of the same processes."""

    store: Any = None
    count = 0


@contextmanager
def joined(device: DeviceName, *, where: str) -> Iterator[Group]:
    """The group of this process: `SINGLE` unless RANK and WORLD_SIZE say otherwise.

    gloo carries what is on CPUs, NCCL what is on GPUs, of which each process of a machine takes its own. A process
    group that the caller has made already is used and left.

    Args:
        device: of the training.
        where: the key that asked for the device, for messages.

    Raises:
        SpecError: fewer GPUs than processes on this machine, or the launcher's variables are not whole.
        GroupLostError: another process has ended without a word.
        SednaError: the error of another process, if that was what ended this one.
    """
    place = process_rank()
    if place.size == 1:
        yield SINGLE
        return
    chosen = choose_device(device, where=where)
    if chosen.type == "cuda":
        _take_gpu(place, where)
    from torch import distributed

    if distributed.is_initialized():
        yield Group(place, chosen)
        return
    store = _join(place, chosen)
    try:
        group = Group(place, chosen)
        yield group
        group.barrier()  # who leaves early would look like who died
    except GroupLostError as lost:
        raise _told(store) or lost from lost
    except Exception as error:
        _tell(store, error)
        raise
    finally:
        distributed.destroy_process_group()


def _take_gpu(place: ProcessRank, where: str) -> None:
    count = torch.cuda.device_count()
    if place.local_size > count:
        hint = "as many processesPerWorker as GPUs, or device: cpu"
        raise SpecError(f"{place.local_size} processes and {count} GPUs on this machine", where=where, hint=hint)
    torch.cuda.set_device(place.local_rank)


def _join(place: ProcessRank, device: torch.device) -> Any:
    """Make the process group; answers the key-value store beside it."""
    from torch import distributed
    from torch.distributed.rendezvous import rendezvous

    missing = [name for name in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if missing:
        raise SpecError("is not set, but WORLD_SIZE is", where=missing[0], hint="start the processes by torchrun")
    timeout = timedelta(seconds=_seconds())
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    try:
        if _Meeting.store is None:
            _Meeting.store = next(rendezvous("env://"))[0]
        _Meeting.count += 1
        # A prefix for each training of a process: what the one before has left must not be taken for an answer.
        store = distributed.PrefixStore(  # type: ignore[attr-defined]
            f"training-{_Meeting.count}", _Meeting.store
        )
        distributed.init_process_group(backend, store=store, rank=place.rank, world_size=place.size, timeout=timeout)
    except (RuntimeError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise LinkUnavailableError(
            f"the processes of this training do not find each other: {said}",
            where=f"process {place.rank} of {place.size}",
        ) from error
    return store


def _seconds() -> float:
    text = os.environ.get(TIMEOUT) or "1800"
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise SpecError(f"{text!r} is no time", where=TIMEOUT, hint="seconds, more than 0")
    return seconds


def _tell(store: Any, error: Exception) -> None:
    """Leave the reason for the others, who will see nothing but a closed connection."""
    parts = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, SednaError):
        parts |= {"message": error.message, "where": error.where, "hint": error.hint}
    try:
        if not store.check([_FAILURE]):  # the first one is the cause
            store.set(_FAILURE, json.dumps(parts))
    except RuntimeError:  # the store went first, with the launcher: nobody is there to be told
        return


def _told(store: Any) -> SednaError | None:
    """The error that another process has left, or None."""
    try:
        parts = json.loads(store.get(_FAILURE)) if store.check([_FAILURE]) else None
    except RuntimeError:
        return None
    if parts is None:
        return None
    kind = getattr(errors, parts["type"], None)
    if not (isinstance(kind, type) and issubclass(kind, SednaError)):
        return PermanentError(f"{parts['type']}: {parts['message']}", where="another process of this training")
    return kind(parts["message"], where=parts["where"], hint=parts["hint"])
