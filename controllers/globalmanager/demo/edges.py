"""Edge workers of the demo: processes of their own, started as a user starts them."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from globalmanager.demo.traffic import EdgeAddress
from sedna.common.atomic import write_atomic
from sedna.common.errors import WorkerError

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LOG_TAIL = 2000


@dataclass
class EdgeProcess:
    """``sedna edge serve`` in a folder of its own; its output goes to ``worker.log`` there."""

    name: str
    folder: Path
    _process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, name: str, folder: Path, *, service_url: str, token: str) -> EdgeProcess:
        """Start the worker; it is not ready yet (`wait_address`)."""
        folder.mkdir(parents=True)
        token_file = folder / "token"
        write_atomic(token_file, token.encode(), mode=0o600)
        command = [sys.executable, "-m", "globalmanager.cli", "edge", "serve", name, "--data", str(folder / "data")]
        command += ["--url", service_url, "--token-file", str(token_file), "--port", "0"]
        with (folder / "worker.log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        return cls(name, folder, process)

    def wait_address(self) -> EdgeAddress:
        """Where it answers.

        Raises:
            WorkerError: it ended, or did not listen in time; the message has the end of its log.
        """
        path = self.folder / "data" / "address"
        deadline = time.monotonic() + START_SECONDS
        while not path.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "worker.log").read_text(errors="replace")[-LOG_TAIL:]
                raise WorkerError(f"edge worker did not start:\n{log}", where=self.name)
            time.sleep(0.05)
        return EdgeAddress(self.name, path.read_text().strip())

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does; kill it when it does not."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
