"""``sedna repair|backup|restore``: on the data of a service, not through it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.errors import ExitCode
from globalmanager.cli.options import Format, Output
from globalmanager.cli.render import Column, field, print_data

Data = Annotated[Path, typer.Option("--data", help="Folder of the service, as for 'sedna up'.")]
Store = Annotated[
    str | None,
    typer.Option("--store", help="As for 'sedna up'.  [default: its settings, or DATA/store]", show_default=False),
]
_DATA = Path("sedna-data")

_FOUND = (
    Column("JOB", field("job")),
    Column("FOUND", field("kind")),
    Column("WHAT", lambda row: row["what"][:20]),
    Column("DONE", field("done")),
    Column("MESSAGE", field("message")),
)


def repair(
    data: Data = _DATA,
    store: Store = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read every picture; else only sizes count.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Compare the database with the store, and take back samples that the database has lost. Deletes nothing.

    Reaches both by the settings of the service (--data, SEDNA__..., service.yaml), also while it runs. Exit code 1:
    differences stay, each with what would put it right.
    """
    from sedna.common.extras import extra_needed

    with extra_needed("control", "sedna repair"):
        from globalmanager.upkeep.opening import opened_database, opened_store, settings_of
        from globalmanager.upkeep.repair import repair as run
    from sedna.common.clock import SystemClock

    settings = settings_of(data, store)
    with opened_database(settings) as db, opened_store(settings) as objects:
        report = run(db, objects, SystemClock(), dry_run=dry_run, verify=verify)
    shown = report.model_dump(mode="json")
    if output is not Format.TABLE:
        print_data(shown, output, _FOUND)
    else:
        if report.findings:
            print_data(shown["findings"], output, _FOUND)
        done = len(report.findings) - report.open
        typer.echo(
            f"{report.jobs} jobs, {report.samples} samples in the database, {report.pictures} in the store:"
            f" {done} differences {'would be put' if dry_run else 'put'} right, {report.open} stay"
        )
    if report.open:
        raise typer.Exit(ExitCode.FAILURE)
