"""A real PostgreSQL on loopback for tests: Debian's package, started by hand in a folder of its own.

Use `postgres_server` (one server a test session), and `PostgresServer.database` for an empty, migrated database.
``SEDNA_TEST_POSTGRES=postgresql://...`` names a running server instead, whose user may create databases.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import URL, make_url

from globalmanager.db import Database

_STARTS = 3  # another process may take a port between choosing and using it
_READY_SECONDS = 120.0  # about 1 on an idle machine; recovery after a kill takes some more
_UNPRIVILEGED = "postgres"
_FAST = {
    # What is lost with the machine is of no use to a test; what a kill of the server loses is the same as ever.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "autovacuum": "off",
}


def find_postgres() -> Path | None:
    """The folder of the server's programs, the newest one."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).parent
    known = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    return max(known, key=lambda path: float(path.parent.name), default=None)


def is_there() -> bool:
    """Whether tests can have a server."""
    return "SEDNA_TEST_POSTGRES" in os.environ or find_postgres() is not None


class OwnServer:
    """A server of one test or session: `start` and `stop` keep its data and its port."""

    def __init__(self, programs: Path, folder: Path, **options: str) -> None:
        self._programs = programs
        self._data = folder / "data"
        self._socket = folder
        self._log = folder / "server.log"
        self._options = _FAST | options
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        password = secrets.token_hex(8)
        self.url = URL.create("postgresql", "sedna", password, "127.0.0.1", None, "postgres")
        folder.chmod(0o755)
        self._make(folder, password)

    def _make(self, folder: Path, password: str) -> None:
        secret = folder / "password"
        secret.write_text(password)
        self._own(folder, secret)
        # With a language's order of letters, as most servers have: what relies on the order of bytes fails here.
        order = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        self._run("initdb", "-D", str(self._data), "-U", "sedna", f"--pwfile={secret}", "--auth=scram-sha-256",
                  "-E", "UTF8", "--no-sync", *order)  # fmt: skip

    def start(self) -> None:
        """Start and wait until it answers."""
        for _ in range(1 if self.port else _STARTS):
            port = self.port or _free_port()
            options = {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self._socket)}
            words = " ".join(f"-c {name}={value}" for name, value in (self._options | options).items())
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    # With its tests it ends, however those end.
                    self._command("--pdeathsig=INT", "postgres", "-D", str(self._data), *words.split()),
                    cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            if self._answers(self.url.set(port=port)):
                self.port = port
                self.url = self.url.set(port=port)
                return
        raise RuntimeError(f"PostgreSQL did not start; its log ends:\n{self._log.read_text()[-2000:]}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` is as good as a kill."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self._data))
        if self._process is not None:
            self._process.wait(60)

    def _answers(self, url: URL) -> bool:
        """Whether the server that was just started is ready; False if it has ended."""
        deadline = time.monotonic() + _READY_SECONDS
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(url.render_as_string(hide_password=False), connect_timeout=5).close()
                return True
            time.sleep(0.05)
        return False

    def allow(self, network: str) -> None:
        """Let clients of this network in, with the password; without it only those of this machine are."""
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {network} scram-sha-256\n")
        self._run("pg_ctl", "reload", "-D", str(self._data))

    def _own(self, *paths: Path) -> None:
        if os.geteuid() == 0:
            user = pwd.getpwnam(_UNPRIVILEGED)
            for path in paths:
                os.chown(path, user.pw_uid, user.pw_gid)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            self._command("", program, *arguments), check=True, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
            timeout=120,
        )  # fmt: skip

    def _command(self, option: str, program: str, *arguments: str) -> list[str]:
        """The server refuses to run as root."""
        other = [f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}", "--clear-groups"]
        options = [*(other if os.geteuid() == 0 else []), *([option] if option and shutil.which("setpriv") else [])]
        return [*(["setpriv", *options] if options else []), str(self._programs / program), *arguments]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def own_server(**options: str) -> Iterator[OwnServer]:
    """A fresh server, started; in memory where the system has such a place. Skips where PostgreSQL is not installed."""
    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql, or set SEDNA_TEST_POSTGRES to the URL of one")
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place, prefix="sedna-postgres-", ignore_cleanup_errors=True) as folder:
        server = OwnServer(programs, Path(folder), **options)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop("immediate")


class PostgresServer:
    """A server on which databases are made by copying a migrated one."""

    def __init__(self, url: URL) -> None:
        self.url = url
        self._template = f"sedna_template_{secrets.token_hex(4)}"
        self._made: list[str] = [self._template]
        self._migrated = False

    def database(self) -> str:
        """The URL of a new database at the newest schema."""
        if not self._migrated:
            self._create(self._template)
            Database(self.address(self._template)).close()
            self._migrated = True
        return self.address(self._create(f"sedna_test_{secrets.token_hex(6)}", self._template))

    def empty(self) -> str:
        """The URL of a new database without any table."""
        return self.address(self._create(f"sedna_test_{secrets.token_hex(6)}"))

    def address(self, name: str) -> str:
        """The URL of a database."""
        return self.url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Delete a database, whoever is connected to it."""
        name = make_url(url).database
        assert name in self._made, "made here"
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        self._made.remove(name)

    def close(self) -> None:
        """Delete what is left of all this."""
        for name in list(self._made):
            with contextlib.suppress(psycopg.errors.InvalidCatalogName):
                self.drop(self.address(name))

    def execute(self, statement: str, url: str | None = None) -> list[tuple[object, ...]]:
        """The rows of a statement, as the administrator, in the server's own database or another one."""
        with psycopg.connect(self._plain(url), autocommit=True) as connection:
            done = connection.execute(statement)  # type: ignore[arg-type]
            return done.fetchall() if done.description else []

    def _create(self, name: str, template: str = "template0") -> str:
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self._run(words)
        self._made.append(name)
        return name

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._plain(None), autocommit=True) as connection:
            connection.execute(statement)

    def _plain(self, url: str | None) -> str:
        return (make_url(url) if url else self.url).set(drivername="postgresql").render_as_string(hide_password=False)


@contextlib.contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server for many tests: the one that ``SEDNA_TEST_POSTGRES`` names, or a fresh one."""
    given = os.environ.get("SEDNA_TEST_POSTGRES")
    with contextlib.ExitStack() as stack:
        url = make_url(given) if given else stack.enter_context(own_server()).url
        server = PostgresServer(url)
        try:
            yield server
        finally:
            server.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL; tests that need it are skipped where none is installed."""
    with running_postgres() as server:
        yield server


def wait_until(condition: object, seconds: float = 30.0) -> None:
    """Until ``condition()`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
