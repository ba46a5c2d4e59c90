"""``sedna repair|backup|restore|export``: on the data of a service, not through it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.errors import ExitCode
from globalmanager.cli.options import Format, JobName, Output
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


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; tar.", show_default=False)],
    data: Data = _DATA,
    store: Store = None,
    objects: Annotated[
        bool | None,
        typer.Option(
            "--objects/--no-objects",
            help="Whether the store is in it: pictures, models.  [default: where it is a folder]",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write database, settings, admin token and store into one file, also while the service runs. Keep it safe.

    PostgreSQL is not in it: pg_dump does that.
    """
    from sedna.common.extras import extra_needed

    with extra_needed("control", "sedna backup"):
        from globalmanager.upkeep.backup import backup as run
        from globalmanager.upkeep.opening import settings_of
    from sedna.common.clock import SystemClock

    report = run(settings_of(data, store), file, SystemClock(), with_store=objects)
    if report.objects is None:
        typer.echo(f"the store is not in it: {report.header.store}; keep that by itself", err=True)
    what = "without the store" if report.objects is None else f"{report.objects} objects"
    typer.echo(f"{file}: database, settings, {what}, {report.bytes} bytes")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of 'sedna backup'.", show_default=False)],
    data: Data = _DATA,
    store: Store = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where there is a database, which is kept beside the new one.")
    ] = False,
) -> None:
    """Put a backup into a folder in which no service runs; others may go on. Deletes nothing."""
    from sedna.common.extras import extra_needed

    with extra_needed("control", "sedna restore"):
        from globalmanager.upkeep.restore import restore as run
    from sedna.common.clock import SystemClock

    report = run(file, data, SystemClock(), replace=replace, store_url=store)
    if report.already:
        typer.echo(f"{data} has this backup already; --replace puts it back once more")
        return
    for path in report.kept:
        typer.echo(f"kept {path}")
    typer.echo(
        f"{data} is as on {report.header.created_at:%Y-%m-%d %H:%M:%S}Z: database, {report.objects} objects,"
        f" {report.present} were there; 'sedna repair --data {data}' takes back samples that came later"
    )


def export(
    job: JobName,
    target: Annotated[
        Path, typer.Argument(metavar="TARGET", help="A new folder, or a new file NAME.zip.", show_default=False)
    ],
    data: Data = _DATA,
    store: Store = None,
) -> None:
    """Write samples, labels, dataset versions and models of a job as files that other tools and our imports read."""
    from globalmanager.cli.client import job_key
    from sedna.common.extras import extra_needed

    with extra_needed("control", "sedna export"):
        from globalmanager.upkeep.export import export_job
        from globalmanager.upkeep.export_place import new_place
        from globalmanager.upkeep.opening import opened_database, opened_store, settings_of

    settings = settings_of(data, store)
    with opened_database(settings) as db, opened_store(settings) as objects, new_place(target) as place:
        report = export_job(db, objects, job_key(job), place)
    typer.echo(
        f"{target}: {report.samples} samples, {report.labelled} labelled, {report.datasets} dataset versions,"
        f" {report.models} models"
    )
    if report.missing:
        for key in report.missing:
            typer.echo(f"missing in the store: {key}", err=True)
        raise typer.Exit(ExitCode.FAILURE)
