"""Images that an upstream-style program keeps in a folder because they were hard: handed in as samples."""

from __future__ import annotations

import json
import logging
import math
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from localcontroller.settings import HardExamples
from sedna.common.atomic import append_line
from sedna.common.clock import Clock
from sedna.common.errors import AuthError, NotFoundError, SednaError, UserError
from sedna.common.orientation import UPRIGHT
from sedna.common.pictures import SUFFIXES, look
from sedna.common.regular_files import read_regular
from sedna.common.types import ORIENTATION_META, JobKey, Picked, Prediction, SampleRecord, Verdict, sample_id
from sedna.edge.link import EdgeLink
from sedna.labels.files import is_hidden

__all__ = ["HardExampleWatch"]

LOGGER = logging.getLogger("sedna.localcontroller")

_STILL_SECONDS = 2.0
"""A file that was not written to for so long is whole."""

_LARGEST = 32 << 20
_LOOK_SECONDS = 5.0
_STOP_SECONDS = 20.0

_File = tuple[str, int, int]
"""Path, bytes and time of its last change in nanoseconds: the same three are the same image."""


class HardExampleWatch:
    """Looks into the folders now and then, and hands in every image once. The files stay as they are.

    The images are taken as they are: a program that draws its boxes into them spoils them for training.

    Args:
        link: to the cloud.
        edge: the name of this node there.
        folders: where images appear.
        data_dir: holds the list of what was handed in.
        serving: the model version that the worker of a job has now; None = not known.

    Attributes:
        waiting: images that the last look has seen and not dealt with: they are being written, or the cloud is away.
    """

    def __init__(
        self,
        link: EdgeLink,
        edge: str,
        folders: tuple[HardExamples, ...],
        data_dir: Path,
        clock: Clock,
        serving: Callable[[JobKey], int | None],
    ) -> None:
        self._link = link
        self._edge = edge
        self._folders = folders
        self._clock = clock
        self._serving = serving
        self._done_file = data_dir / "hard_examples.jsonl"
        self._copy = data_dir / "hard_example.part"
        data_dir.mkdir(parents=True, exist_ok=True)
        self._done = self._read_done()
        self.waiting = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="hard-examples", daemon=True)
        self._thread.start()

    def stop(self) -> bool:
        """End after the image in hand; whether it has ended, and `look` may be called from elsewhere."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)  # its folder may be on a share that does not answer
            return not self._thread.is_alive()
        return True

    def look(self, *, until: float = math.inf, last: bool = False, stop: threading.Event | None = None) -> int:
        """Hand in every new image; returns how many.

        Args:
            until: begin with none after this, on the monotonic clock.
            last: nobody writes any more: an image is whole by now, or never, which the service finds out.
            stop: begin with none once it is set.

        Raises:
            TemporaryError, AuthError: the rest must wait.
        """
        handed = 0
        found = [(entry.job, *new) for entry in self._folders for new in self._new_files(entry.folder)]
        self.waiting = len(found)
        latest = self._clock.now().timestamp() - _STILL_SECONDS
        for job, path, file in found:
            if (stop is not None and stop.is_set()) or self._clock.monotonic() >= until:
                return handed
            if file[2] / 1e9 > latest and not last:
                continue
            handed += self._hand_in(job, path, file)
            self.waiting -= 1
        return handed

    def _new_files(self, folder: Path) -> list[tuple[Path, _File]]:
        """Images that were not handed in, the oldest first."""
        found: list[tuple[Path, _File]] = []
        for path in folder.rglob("*") if folder.is_dir() else ():
            if path.suffix.lower() not in SUFFIXES or is_hidden(path.relative_to(folder).as_posix()):
                continue
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue  # the program tidies up
            if not stat.S_ISREG(facts.st_mode):
                continue
            file = (str(path), facts.st_size, facts.st_mtime_ns)
            if file not in self._done:
                found.append((path, file))
        return sorted(found, key=lambda item: item[1][2])

    def _hand_in(self, job: JobKey, path: Path, file: _File) -> bool:
        try:
            data = read_regular(path, _LARGEST)
            record = self._record(job, path, data, file)
        except NotFoundError:
            return False  # the program tidies up
        except UserError as error:
            LOGGER.warning("%s is no sample: %s", path, error)
            self._remember(file)
            return False
        # A copy: the program may write to its file while it is sent, and the record speaks of these bytes.
        self._copy.write_bytes(data)
        try:
            self._link.put_sample(record, self._copy)
        except AuthError:
            raise
        except UserError as error:
            LOGGER.warning("%s is refused: %s", path, error)
            self._remember(file)
            return False
        self._remember(file)
        return True

    def _record(self, job: JobKey, path: Path, data: bytes, file: _File) -> SampleRecord:
        # The header alone: the service looks at the pixels, by the rules of the job.
        facts = look(data)
        return SampleRecord(
            sample_id=sample_id(data),
            job=job,
            extension=facts.extension,
            size=len(data),
            width=facts.width,
            height=facts.height,
            picked=Picked.HARD,
            verdict=Verdict(hard=True, miner="program", reason=f"kept by the inference program as {path.name}"),
            prediction=Prediction(),
            model_version=self._serving(job) or 0,
            edge=self._edge,
            captured_at=datetime.fromtimestamp(file[2] / 1e9, UTC),
            meta={} if facts.orientation == UPRIGHT else {ORIENTATION_META: facts.orientation},
        )

    def _remember(self, file: _File) -> None:
        append_line(self._done_file, json.dumps(file))
        self._done.add(file)

    def _read_done(self) -> set[_File]:
        try:
            lines = self._done_file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return set()
        found: set[_File] = set()
        for line in lines:
            try:
                path, size, changed = json.loads(line)
            except ValueError:  # cut short by a crash: handed in again, and known there
                continue
            found.add((str(path), int(size), int(changed)))
        return found

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            try:
                handed = self.look(stop=self._stopping)
            except SednaError as error:
                LOGGER.warning("hard examples wait for the cloud: %s", error)
            except Exception:  # the thread's boundary: a defect must not end it for good
                LOGGER.exception("unexpected error while hard examples were handed in")
            else:
                if handed:
                    LOGGER.info("%d hard examples are handed in", handed)
