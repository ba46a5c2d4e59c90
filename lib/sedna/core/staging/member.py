"""``python member.py PROGRAM ARGUMENTS``: one process of a group, which becomes the program.

torchrun starts it with the same environment for all. Here each gets its own: only rank 0 writes to the worker's folder
and reports, whether or not the program knows of ranks. Imports next to nothing: it runs before every process.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

VERDICT = "verdict"
"""File in the group's folder: the exit code of a process whose error no restart can help."""

_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> None:
    """Become the program, unless an earlier start of it has ended for good."""
    folder = Path(os.environ["SEDNA_GROUP_DIR"])
    with contextlib.suppress(FileNotFoundError, ValueError):
        sys.exit(int((folder / VERDICT).read_text(encoding="ascii")))
    _end_with_parent()
    rank = int(os.environ["RANK"])
    env = dict(os.environ) if rank == 0 else follower_environment(os.environ, folder / f"rank-{rank}", rank)
    os.execvpe(argv[0], argv, env)  # noqa: S606 - to become the program is what this is for


def follower_environment(given: Mapping[str, str], own: Path, rank: int) -> dict[str, str]:
    """The environment of a process that does not count: what it writes and reports goes nowhere.

    Checkpoints are a copy of those that are there, so that a program may resume on all ranks.
    """
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    env = dict(given)
    for name, file in (("REPORT_PATH", "report.json"), ("PROGRESS_PATH", "progress.jsonl"), ("MODEL_URL", "output")):
        if env.get(name):
            env[name] = str(own / file)
    if "MODEL_URL" in env:
        Path(env["MODEL_URL"]).mkdir()
    if env.get("CHECKPOINT_DIR"):
        source, copy = Path(env["CHECKPOINT_DIR"]), own / "checkpoints"
        copy.mkdir()
        if source.is_dir():
            # What is replaced meanwhile is that of rank 0, which has begun already: whoever cares asks rank 0.
            with contextlib.suppress(shutil.Error, FileNotFoundError):
                shutil.copytree(source, copy, dirs_exist_ok=True)
        env["CHECKPOINT_DIR"] = str(copy)
    if env.get("LC_SERVER"):
        env["LC_SERVER"] = f"{env['LC_SERVER'].rstrip('/')}/rank/{rank}"
    return env


def _end_with_parent() -> None:
    """Have the kernel end this process with torchrun: in a session of its own it would outlive a torchrun that is
    killed, and write beside the processes of the next start."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it went in between
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
