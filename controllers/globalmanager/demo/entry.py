"""Run the demo once and leave its report."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from globalmanager.demo.conductor import Conductor
from globalmanager.demo.report import write_report
from globalmanager.demo.scenario import load_scenario
from globalmanager.demo.screen import Screen, rounds_table, summary
from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError
from sedna.common.log import setup_logging


def run_demo(
    console: Console, example: Path, *, report: Path, json_file: Path | None, keep: Path | None, command: str
) -> None:
    """Play the example, print the tables, write report and figures.

    Raises:
        ConflictError: the folder to keep exists.
        SednaError: a part of the loop did not work; what it left is in the folder given by ``keep``.
    """
    scenario = load_scenario(example)
    setup_logging("ERROR", "text")
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sedna-demo-")))
        else:
            if keep.exists():
                raise ConflictError("the folder exists", where=str(keep), hint="name a new one")
            folder = keep.absolute()
            folder.mkdir(parents=True)
        with Screen(console, "incremental learning on DeepPCB boards") as screen:
            played = Conductor(scenario, folder, screen, command).play()
        write_report(report, played.figures, played.evidence)
    if json_file is not None:
        write_atomic(json_file, played.figures.model_dump_json(indent=2).encode() + b"\n")
    console.print(rounds_table(played.figures))
    console.print(summary(played.figures))
    console.print(f"report: {report}")
