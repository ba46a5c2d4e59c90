"""A camera: sends pictures to an edge without a pause longer than a tenth of a second, and writes down every answer."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import httpx

from e2e.boards import Board
from e2e.house import Edge

PAUSE = 0.1


class Camera:
    """Use as a context manager. ``versions`` has each model version in the order in which answers came from it."""

    def __init__(self, edge: Edge, boards: Sequence[Board]) -> None:
        self._edge = edge
        self._boards = boards
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera")
        self.answers = 0
        self.failures: list[str] = []
        self.versions: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=30) as client:
            for board in itertools.cycle(self._boards):
                if self._ended.wait(PAUSE):
                    return
                self._send(client, board)

    def _send(self, client: httpx.Client, board: Board) -> None:
        headers = {"Content-Type": "image/png"}
        try:
            response = client.post(f"{self._edge.url}/v2/models/pcb/infer", content=board.image, headers=headers)
        except httpx.HTTPError as error:
            self.failures.append(repr(error))
            return
        if response.status_code != httpx.codes.OK:
            self.failures.append(f"{response.status_code}: {response.text}")
            return
        self.answers += 1
        version = int(response.json()["parameters"]["model_version"])
        if not self.versions or self.versions[-1] != version:
            self.versions.append(version)
