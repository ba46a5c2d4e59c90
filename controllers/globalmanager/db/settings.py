"""Settings of the connections to PostgreSQL. SQLite needs none: it has one writer, and no network in between."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DatabaseSettings"]


class DatabaseSettings(BaseModel):
    """How many connections a process holds, and how long anything may take.

    The defaults fit a server that other programs use too: a service holds up to 22 connections, two replicas 44 of the
    100 that PostgreSQL gives out unless it is told otherwise.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pool_size: int = Field(default=10, ge=1, description="connections that stay open")
    pool_overflow: int = Field(default=10, ge=0, description="further ones under load, closed afterwards")
    pool_seconds: float = Field(default=10, gt=0, description="wait for a free connection; then the caller hears 503")
    pool_recycle_seconds: float = Field(
        default=1800, gt=0, description="age at which a connection is replaced: after a failover old ones linger"
    )
    connect_seconds: int = Field(default=5, ge=2, description="for one address of the server to answer")
    statement_seconds: float = Field(default=60, gt=0, description="a statement that takes longer is ended")
    lock_seconds: float = Field(
        default=15, gt=0, description="wait for other writers; they take milliseconds, longer means that one hangs"
    )
    idle_seconds: float = Field(
        default=10,
        gt=0,
        description="a write that stands still for longer is undone: its process was stopped, or its machine is gone",
    )
    migration_seconds: float = Field(
        default=240, gt=0, description="wait at the start for another replica that migrates the schema"
    )
    keepalive_seconds: int = Field(default=10, ge=1, description="silence before a connection is probed, every 3 s")
    tcp_user_seconds: float = Field(
        default=15, gt=0, description="sent data without an answer of the network for longer: the connection is lost"
    )
    prepared_statements: bool = Field(
        default=True, description="false behind a PgBouncer before 1.21 that pools by transaction"
    )
