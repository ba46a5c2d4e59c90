"""``sedna demo``: the whole loop on real boards, measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = Path("examples/01_pcb_inspection")


def demo(
    example: Annotated[Path, typer.Option("--example", help="Folder with boards, initial model and job.")] = EXAMPLE,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write every figure to this file.", show_default=False)
    ] = None,
    report: Annotated[Path, typer.Option("--report", help="Write the HTML report to this file.")] = Path(
        "demo-report.html"
    ),
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="Run in this new folder and keep it, logs included.", show_default=False),
    ] = None,
) -> None:
    """Stream real circuit boards to two edges and watch the model get better; takes some minutes."""
    import shlex
    import sys

    from rich.console import Console

    from sedna.common.extras import extra_needed

    with extra_needed("control,train", "sedna demo", "torch", "torchvision", "safetensors", "onnx"):
        from globalmanager.demo.entry import run_demo

    command = shlex.join(["sedna", *sys.argv[1:]])
    run_demo(Console(), example, report=report, json_file=json_file, keep=keep, command=command)
