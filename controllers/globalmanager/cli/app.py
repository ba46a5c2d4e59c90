"""The command tree. Nothing heavy is imported here: ``sedna --help`` has to be quick."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from globalmanager.cli.commands import (
    algorithms,
    cluster,
    config,
    contexts,
    demo,
    edges,
    events,
    jobs,
    labels,
    models,
    rounds,
    sample_changes,
    sample_files,
    samples,
    status,
    tokens,
    triggers,
    up,
    upkeep,
    validate,
    version,
    workers,
)
from globalmanager.cli.errors import exit_code_of, print_error
from sedna.algorithms.continual.cli import bench_app, train
from sedna.common.errors import SednaError

__all__ = ["app"]


class SednaGroup(TyperGroup):
    """Errors of the tree become a message and an exit code; anything else is a defect and shows its trace."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        # The one place: no command catches errors in order to print them.
        except SednaError as error:
            print_error(error)
            raise typer.Exit(exit_code_of(error)) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        version.version()
        raise typer.Exit


app = typer.Typer(
    name="sedna",
    cls=SednaGroup,
    help="Edge-cloud incremental learning: hard examples travel from the edge, better models travel back.",
    no_args_is_help=True,
    # A trace with the values of all locals would show tokens.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def sedna(
    show_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the whole."""


app.command("up")(up.up)
app.command("demo")(demo.demo)
app.command("validate")(validate.validate)
app.command("status")(status.status)
app.command("events")(events.events)
app.command("check-module")(algorithms.check_module)
app.command("version")(version.version)
app.command("repair")(upkeep.repair)
app.command("backup")(upkeep.backup)
app.command("restore")(upkeep.restore)
app.command("export")(upkeep.export)
app.command("train")(train)
app.add_typer(bench_app, name="bench")
app.add_typer(algorithms.new_app, name="new")
app.add_typer(jobs.app, name="job")
app.add_typer(triggers.app, name="trigger")
app.add_typer(rounds.app, name="round")
samples.app.command("get")(sample_files.get_sample)
samples.app.command("exclude")(sample_changes.exclude_sample)
samples.app.command("delete")(sample_changes.delete_sample)
samples.app.command("include")(sample_changes.include_sample)
samples.app.command("repair")(sample_changes.repair_samples)
app.add_typer(samples.app, name="sample")
app.add_typer(labels.app, name="labels")
app.add_typer(models.app, name="model")
app.add_typer(edges.app, name="edge")
app.add_typer(tokens.app, name="token")
app.add_typer(workers.app, name="worker")
app.add_typer(config.app, name="config")
app.add_typer(contexts.app, name="context")
app.add_typer(cluster.app, name="cluster")
