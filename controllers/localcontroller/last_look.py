"""The end of a Pod: what its program keeps until its own end is handed in before the folders go."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Final

from localcontroller.hard_examples import HardExampleWatch
from localcontroller.settings import Ending
from sedna.common.clock import Clock
from sedna.common.errors import SednaError

__all__ = ["hand_in_the_rest", "port_answers"]

LOGGER = logging.getLogger("sedna.localcontroller")

LOOK_S: Final = 0.5
QUIET_S: Final = 5.0
"""After the program's end, as far as it can be told: it closes its port before it writes its last."""

LAST_S: Final = 5.0
"""For the last look."""

LEFT_S: Final = LAST_S + 3.0
"""For that, and to end: then comes the signal that nobody catches."""

CONNECT_S: Final = 1.0


def hand_in_the_rest(
    watch: HardExampleWatch, ending: Ending, clock: Clock, answers: Callable[[int], bool] | None = None
) -> None:
    """Go on looking until the program has ended, then once more at everything. The time is kept but for one image.

    Args:
        watch: not started, or stopped.
        answers: whether somebody listens at a port of this Pod.
    """
    answers = answers or port_answers
    began = clock.monotonic()
    until = began + max(0.0, ending.seconds - LEFT_S)
    busy_at = began
    while (now := clock.monotonic()) < until and now - busy_at < QUIET_S:
        handed = _hand_in(watch, until)
        if handed != 0 or watch.waiting or _may_run(ending, now - began, answers):
            busy_at = now
        clock.sleep(LOOK_S)
    until += LAST_S
    while _hand_in(watch, until, last=True) is None and clock.monotonic() < until:
        clock.sleep(LOOK_S)
    if watch.waiting:
        LOGGER.error("%d hard examples are lost with this Pod: the cloud did not take them in time", watch.waiting)


def port_answers(port: int) -> bool:
    """Whether somebody listens there, on the loopback or on the address of this Pod."""
    for address in {"127.0.0.1", _own_address()}:
        try:
            socket.create_connection((address, port), CONNECT_S).close()
        except OSError:
            continue
        return True
    return False


def _own_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        return "127.0.0.1"


def _may_run(ending: Ending, elapsed: float, answers: Callable[[int], bool]) -> bool:
    return elapsed < ending.program_seconds if ending.program_port is None else answers(ending.program_port)


def _hand_in(watch: HardExampleWatch, until: float, *, last: bool = False) -> int | None:
    """How many were handed in; None = some must wait."""
    try:
        return watch.look(until=until, last=last)
    except SednaError as error:
        LOGGER.warning("hard examples wait for the cloud: %s", error)
    except Exception:  # a defect must not keep the Pod from ending well
        LOGGER.exception("unexpected error while the last hard examples were handed in")
    return None
