"""The folder of a job's results: whether it can be made, and making it, with the key that names it in every message."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ianvs.grammar import Benchmark, BenchmarkingJob
from sedna.common.errors import SpecError


def workspace_problem(job: BenchmarkingJob, file: str) -> SpecError | None:
    """Why the workspace of a job cannot be made or written, as far as that can be seen without making it."""
    for key, folder in (("workspace", Path(job.workspace)), ("name", Path(job.workspace) / job.name)):
        reason = _obstacle(folder)
        if reason:
            return _error(f"benchmarkingjob.{key} = {getattr(job, key)!r}", reason, file)
    return None


def make_workspace(benchmark: Benchmark) -> None:
    """Make the folder, before hours are spent on results that nothing could keep.

    Raises:
        SpecError: it cannot be made, or not be written.
    """
    problem = workspace_problem(benchmark.job, benchmark.file)
    if problem is not None:
        raise problem
    make_folder(Path(benchmark.workspace), f"benchmarkingjob.workspace = {benchmark.job.workspace!r}", benchmark.file)


def make_folder(folder: Path, named_by: str, file: str = "") -> None:
    """Make a folder that something of the user's names.

    Raises:
        SpecError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _error(named_by, str(error), file) from error


def _obstacle(folder: Path) -> str:
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        return str(error)
    if not folder.is_dir():
        return f"{os.strerror(errno.ENOTDIR)}: {folder}"
    return "" if os.access(folder, os.W_OK | os.X_OK) else f"{os.strerror(errno.EACCES)}: {folder}"


def _error(named_by: str, reason: str, file: str) -> SpecError:
    return SpecError(f"{named_by}: cannot be made: {reason}", where=file, hint="a folder that may be written to")
