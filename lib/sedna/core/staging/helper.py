"""Beside a worker's program: takes its report, and brings what it makes into the store while it runs.

The same for a process and for a Pod: there this is a container of ours beside the user's, here a thread of the process
that started the program. To the program it is upstream's local controller.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sedna.common.errors import ConflictError, DataError, SednaError, TemporaryError, UserError
from sedna.common.log import LOGGER
from sedna.core.report import MAX_REPORT_BYTES, failure_info, parse_report, summary_of
from sedna.core.staging.folder import WorkFolder
from sedna.core.staging.order import WorkOrder
from sedna.core.staging.service_link import ServiceLink
from sedna.core.staging.stage_out import CheckpointKeeper, store_end, store_failure, store_result
from sedna.store.file_sets import FileStore

__all__ = ["Helper"]

LOOK_SECONDS = 1.0
"""Between two looks at progress and checkpoints."""

_FOLLOWER = re.compile(r"/rank/[1-9][0-9]*(?=/)")
"""Before the route of those processes of a group that do not report; `member` sets it."""

_TAIL_BYTES = 8192
"""More than any line of progress; only the end of the file is read."""


class Helper:
    """Takes reports at ``url`` and looks after the folder of one worker.

    A report of success is answered only when everything it speaks of is in the store, with the result last: what a
    program was told to be safe is safe, whatever becomes of its machine.

    Args:
        service: gets reports and progress as news; None: the store alone has them.
    """

    def __init__(
        self, order: WorkOrder, store: FileStore, folder: WorkFolder, service: ServiceLink | None, *, port: int = 0
    ) -> None:
        """
        Raises:
            ConflictError: the port is taken.
        """
        self._order = order
        self._store = store
        self._folder = folder
        self._service = service
        self._checkpoints = CheckpointKeeper(order, store, folder)
        self._told: dict[str, Any] | None = None
        self._progress: bytes = b""
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._hurry = False
        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        except OSError as error:
            raise ConflictError(f"cannot listen: {error.strerror}", where=f"127.0.0.1:{port}") from error
        self._server.daemon_threads = True
        self._threads = (
            threading.Thread(target=self._server.serve_forever, name="worker-reports", daemon=True),
            threading.Thread(target=self._look_on, name="worker-looks", daemon=True),
        )

    @property
    def url(self) -> str:
        """``LC_SERVER`` of the program."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def worker(self) -> str:
        """The only worker that may report here."""
        return self._order.worker

    def start(self) -> None:
        """Begin to listen and to look."""
        for thread in self._threads:
            thread.start()

    def receive(self, report: dict[str, Any]) -> None:
        """Keep a report, and what it speaks of; repeating one changes nothing.

        Raises:
            ConflictError: another one was kept before.
            DataError: it is the report of another worker or stage.
            SednaError: it could not be kept; the program's client tries again.
        """
        self._require_own(report)
        with self._lock:
            if report == self._told:
                return
            if str(report.get("status", "")).lower() == "completed":
                kept = store_result(self._order, self._store, self._folder, report)
                if kept.report != report:
                    # The answer would say that what this report speaks of is safe, and it is not what was kept.
                    raise ConflictError("another result was reported before, and stays", where=self._order.worker)
            else:
                store_failure(self._order, self._store, report)
            self._told = report
        self._hand_over(report)

    def finish(self, exit_code: int) -> bool:
        """The program has ended: bring in what is left, and say so in the store, last of all.

        Returns:
            Whether it has reported anything.

        Raises:
            SednaError: something could not be stored; without the end of the attempt in the store it can be run again.
        """
        self._over.set()
        if self._told is None:  # a program that knows of the file alone
            self._take_report_of_file(failed=exit_code != 0)
        if exit_code == 0:
            self._look_at_progress()
        else:  # the next attempt goes on from them; after a success nobody needs them
            self._checkpoints.look(at_last=True)
        store_end(self._order, self._store, exit_code)
        return self._told is not None

    def hurry(self) -> None:
        """The program is about to be ended: bring in each checkpoint as soon as it is whole."""
        self._hurry = True

    def leave(self) -> None:
        """Bring in what is there, of a program that nobody can say has ended: another attempt goes on from it.

        Raises:
            SednaError: something could not be stored.
        """
        self._over.set()
        if self._told is None:
            self._take_report_of_file(failed=True)
        self._checkpoints.look(at_last=True)

    def _take_report_of_file(self, *, failed: bool) -> None:
        try:
            report = _read_report(self._folder.report)
            if report is not None:
                self.receive(report)
        except UserError as error:
            if not failed:
                raise
            LOGGER.warning("%s", error)  # how the program ended says more than what it wrote before

    def fail(self, error: Exception) -> None:
        """Report an error of ours in the place of the program, which could not be started or lost its result."""
        report = {
            "name": self._order.worker,
            "namespace": self._order.job.namespace,
            "ownerName": self._order.job.name,
            "ownerKind": "incrementallearningjob",
            "kind": self._order.kind,
            "status": "failed",
            "ownerInfo": failure_info(error),
        }
        try:
            self.receive(report)
        except SednaError as lost:
            LOGGER.error("the failure could not be reported: %s", lost)

    def close(self) -> None:
        """Stop listening and looking."""
        self._over.set()
        if self._threads[0].is_alive():
            self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _require_own(self, report: dict[str, Any]) -> None:
        name, kind = report.get("name"), str(report.get("kind", "")).lower()
        if name != self._order.worker:
            raise DataError(f"the report is of worker {name!r}", where="name", hint=self._order.worker)
        if kind not in ("", self._order.kind):
            raise DataError(f"the report is of kind {kind!r}", where="kind", hint=self._order.kind)

    def _look_on(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._look_at_progress()
            try:
                self._checkpoints.look(hurry=self._hurry)
            except SednaError as error:
                LOGGER.warning("the checkpoint is not in the store yet: %s", error)

    def _look_at_progress(self) -> None:
        line = newest_line(self._folder.progress)
        if self._service is None or not line or line == self._progress:
            return
        try:
            self._service.progress(json.loads(line))
            self._progress = line
        except (SednaError, ValueError, RecursionError) as error:  # the next line says it better
            LOGGER.info("progress was not reported: %s", error)

    def _hand_over(self, report: dict[str, Any]) -> None:
        """Tell the service at once; when that fails, it finds the report in the store when the worker has ended."""
        if self._service is None:
            return
        try:
            self._service.report(summary_of(report))
        except SednaError as error:
            LOGGER.warning("the service was not told of the report, which is in the store: %s", error)


def newest_line(path: Path) -> bytes:
    """The newest whole line of a file that grows; b"" while there is none."""
    try:
        # Looked at first: opening a pipe would wait for its writer.
        if not path.is_file():
            return b""
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().split(b"\n")
    except OSError:  # gone since, or not for us to read: there is no news
        return b""
    return lines[-2] if len(lines) > 1 else b""  # what follows the last line break is half written


def _read_report(path: Path) -> dict[str, Any] | None:
    """The report that the program left in its file, or None.

    Raises:
        DataError: it cannot be read.
    """
    try:
        if not path.exists():
            return None
        if not path.is_file():  # reading a pipe would wait for its writer
            raise DataError("the report cannot be read: this is no file", where=str(path))
        if path.stat().st_size > MAX_REPORT_BYTES:
            raise DataError(f"the report is larger than {MAX_REPORT_BYTES} bytes", where=str(path))
        return parse_report(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"the report cannot be read: {error}", where=str(path)) from error


def _length(header: str | None) -> int | None:
    """Bytes of a body, or None: one that comes in chunks would have to be read to an end that nobody has promised."""
    return int(header) if header is not None and header.isascii() and header.isdecimal() else None


def _route(helper: Helper, path: str) -> tuple[str, Callable[[dict[str, Any]], object]]:
    """The route of a request, and who takes its report: nobody if it is of another rank than 0. Every process of a
    group reports, if its program knows nothing of ranks."""
    follower = _FOLLOWER.match(path)
    return (path, helper.receive) if follower is None else (path[follower.end() :], dict)


def _handler(helper: Helper) -> type[BaseHTTPRequestHandler]:
    """Upstream's one route, ``POST /sedna/workers/{worker}/info``, with upstream's answers."""

    class Reports(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            path, take = _route(helper, self.path)
            if path != f"/sedna/workers/{helper.worker}/info":
                self._answer(HTTPStatus.NOT_FOUND, f"this is the local controller of worker {helper.worker} alone")
                return
            length = _length(self.headers.get("Content-Length"))
            if length is None:
                self.close_connection = True
                self._answer(HTTPStatus.LENGTH_REQUIRED, "Content-Length is not given, or no number of bytes")
                return
            if length > MAX_REPORT_BYTES:
                self.close_connection = True
                self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the report is larger than {MAX_REPORT_BYTES} bytes")
                return
            try:
                report = parse_report(self.rfile.read(length))
            except ValueError as error:
                self._answer(HTTPStatus.BAD_REQUEST, f"the message body is not a worker report: {error}")
                return
            if report.get("name") != helper.worker:
                text = "worker name(name={}) in the api is different from that(name={}) in the message body"
                self._answer(HTTPStatus.BAD_REQUEST, text.format(helper.worker, report.get("name")))
                return
            try:
                take(report)
            except TemporaryError as error:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, str(error))
            except SednaError as error:
                self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
            else:
                self._answer(HTTPStatus.OK, "OK")

        def _answer(self, status: HTTPStatus, message: str) -> None:
            body = json.dumps({"Status": int(status), "Message": message}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's word
            LOGGER.debug(format, *args)

    return Reports
