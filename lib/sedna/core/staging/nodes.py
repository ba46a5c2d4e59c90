"""Several machines that train one model: how each of them finds the first one."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from sedna.common.clock import Clock, SystemClock
from sedna.common.errors import LinkUnavailableError

__all__ = ["MASTER_PORT", "RENDEZVOUS_PORT", "Nodes", "wait_for_name"]

RENDEZVOUS_PORT = 29400
"""Where torchrun of the first machine keeps the key-value store by which all meet."""

MASTER_PORT = 29500
"""Where rank 0 of programs that do without torchrun has its own."""

_NAME_SECONDS = 120.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Nodes:
    """The machines of a training, as one of them sees them.

    Attributes:
        first: name of the machine of rank 0.
        run: identity of this start.
        own: name of this machine. torchrun orders machines by it, so that the first one's comes first.
        rank: of this machine, from 0.
    """

    first: str
    run: str
    own: str
    rank: int

    def torchrun(self, count: int) -> tuple[str, ...]:
        """Arguments by which ``count`` machines come together."""
        return (
            f"--nnodes={count}",
            "--rdzv-backend=c10d",
            f"--rdzv-endpoint={self.first}:{RENDEZVOUS_PORT}",
            f"--rdzv-id={self.run}",
            # Said, and not found out by a comparison of addresses: it decides who keeps the store.
            f"--rdzv-conf=is_host={self.rank == 0:d}",
            f"--local-addr={self.own}",
        )


def wait_for_name(name: str, clock: Clock | None = None, seconds: float = _NAME_SECONDS) -> None:
    """Return when a name has an address: that of a Pod has none before the Pod has.

    Raises:
        LinkUnavailableError: it has none for so long.
    """
    clock = clock or SystemClock()
    end = clock.monotonic() + seconds
    while True:
        try:
            socket.getaddrinfo(name, RENDEZVOUS_PORT, type=socket.SOCK_STREAM)
        except OSError as error:
            if clock.monotonic() >= end:
                message = f"the first Pod of this training has no address for {seconds:.0f} s: {error}"
                raise LinkUnavailableError(message, where=name) from error
            clock.sleep(_LOOK_SECONDS)
        else:
            return
