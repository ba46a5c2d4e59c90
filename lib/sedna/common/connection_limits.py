"""What a server grants the connections that it accepts."""

from __future__ import annotations

import resource
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["ConnectionLimits"]

_MOST: Final = 1000
"""Connections in all, however many files a process may open: each costs memory as well."""


class ConnectionLimits(BaseModel):
    """How many connections at a time, and how long each may keep the server waiting."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int | None = Field(
        default=None, ge=1, description="at a time; none = half of the files the process may open, at most 1000"
    )
    per_address: int | None = Field(
        default=None, ge=1, description="of one address; none = half of all. Behind a proxy everybody has its address"
    )
    head_seconds: float = Field(default=15.0, gt=0, description="from the first byte of a request to its last header")
    body_seconds: float = Field(default=30.0, gt=0, description="granted to every body, beside the time for its bytes")
    body_bytes_per_second: float = Field(default=500.0, gt=0, description="a body that comes slower is given up")
    write_seconds: float = Field(default=60.0, gt=0, description="a client that takes nothing for longer has gone")

    @property
    def in_all(self) -> int:
        """Connections at a time. The other half of the files is for the store, the database and what is accepted only
        to be refused."""
        if self.connections is not None:
            return self.connections
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return _MOST if soft == resource.RLIM_INFINITY else max(1, min(_MOST, soft // 2))

    def shared_by(self, servers: int) -> ConnectionLimits:
        """The same for each of so many servers of one process, which open their files together."""
        return self.model_copy(update={"connections": max(1, self.in_all // servers)})

    @property
    def of_one_address(self) -> int:
        """Connections of one address at a time."""
        return self.per_address if self.per_address is not None else max(1, self.in_all // 2)
