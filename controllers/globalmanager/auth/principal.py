"""The identity behind a bearer token or a session."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from globalmanager.auth.permission import ROLES_OF, Permission
from globalmanager.db.values import Role, TokenRow
from sedna.common.errors import AuthError
from sedna.common.types import JobKey, Value

__all__ = ["Principal"]


class Principal(Value):
    """Who is calling. ``name`` goes to logs and records, the token never does.

    An ``edge`` token speaks for one edge: its heartbeats, its samples, and the models it has to fetch. These are the
    models of every job, since every edge is asked to serve every job; the README says why nothing narrows that. One
    that is a Pod of a job in a cluster speaks for that ``job`` alone.

    A ``viewer`` sees all but tokens, a ``labeller`` labels as well, an ``admin`` may do everything.

    A ``worker`` token speaks for one attempt while that lasts: for the routes ``/api/v1/worker/...`` and no others.
    """

    name: str
    role: Role
    edge: str | None = None
    worker: str | None = None
    job: JobKey | None = None

    @model_validator(mode="after")
    def _is_bound(self) -> Self:
        # Checked here and not where tokens are made: a row written by hand must not become an edge without a name.
        if (self.role == "edge") != (self.edge is not None):
            raise ValueError("an edge token names exactly one edge; no other token names one")
        if (self.role == "worker") != (self.worker is not None):
            raise ValueError("a worker token names exactly one worker; no other token names one")
        return self

    @classmethod
    def of(cls, token: TokenRow) -> Self:
        """The identity of a stored token."""
        return cls(name=token.name, role=token.role, edge=token.edge, worker=token.worker, job=token.job)

    def require(self, permission: Permission) -> None:
        """Raise `AuthError` (403) unless the role has this permission."""
        wanted = ROLES_OF[permission]
        if self.role not in wanted:
            names = " or ".join(repr(role) for role in sorted(wanted))
            # Nobody can make a token of that role: the service gives one to each attempt.
            hint = "the token of a running worker" if permission is Permission.WORK else f"the role {names}"
            raise AuthError(
                f"token {self.name!r} has the role {self.role!r}", hint=f"this needs {hint}", forbidden=True
            )

    def author(self, wished: str | None) -> str:
        """Who signs a statement: the caller, or whom an admin names.

        Raises:
            AuthError: (403) somebody else was named, by who is no admin.
        """
        if wished is None or wished == self.name:
            return self.name
        if self.role != "admin":
            raise AuthError(
                f"token {self.name!r} cannot sign as {wished!r}",
                where="author",
                hint=f"leave it out, or {self.name!r}",
                forbidden=True,
            )
        return wished

    def require_worker(self) -> str:
        """The worker that this speaks for; raises `AuthError` (403) for any other caller."""
        if self.worker is None:
            raise AuthError(
                f"token {self.name!r} has the role {self.role!r}",
                hint="this needs the token of a running worker",
                forbidden=True,
            )
        return self.worker

    def require_job(self, job: JobKey) -> None:
        """Raise `AuthError` (403) for an edge that is a Pod of another job."""
        if self.job is not None and self.job != job:
            raise AuthError(
                f"edge {self.edge!r} is a Pod of job {self.job}", where=str(job), hint="its own job", forbidden=True
            )

    def require_edge(self, edge: str) -> None:
        """Raise `AuthError` (403) unless this may speak for the edge: its own token, or an admin."""
        # None equals no name: tokens of workers are refused here as well.
        if self.role != "admin" and self.edge != edge:
            raise AuthError(
                f"token {self.name!r} belongs to {self.role} {self.edge or self.worker!r}, not to edge {edge!r}",
                hint="use the token that was shown when that edge was registered",
                forbidden=True,
            )
