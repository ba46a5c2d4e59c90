"""``sedna edge``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from globalmanager.cli.options import Format, FromService, Modules, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, print_secret, short_id, time_of
from sedna.common.errors import NotFoundError

if TYPE_CHECKING:
    from sedna.edge.spool import RefusedSample

app = typer.Typer(
    help="List, register, serve and remove edges; list the samples that one has rejected.", no_args_is_help=True
)


def state_of(edge: Mapping[str, Any]) -> str:
    """Whether an edge is heard; empty where an older service does not say."""
    if "offline_since" not in edge:
        return ""
    if edge["offline_since"] is not None:
        return f"offline since {time_of('offline_since')(edge)}"
    return "never heard" if edge["last_seen_at"] is None else "online"


_LIST = (
    Column("NAME", field("name")),
    Column("STATE", state_of),
    Column("LAST SEEN", time_of("last_seen_at")),
    Column("SOFTWARE", field("software")),
    Column("SERVES", lambda edge: ", ".join(_served(status) for status in edge["jobs"])),
    Column("REGISTERED", time_of("registered_at")),
)

_REJECTED = (
    Column("SAMPLE", short_id("sample_id")),
    Column("JOB", field("job")),
    Column("STATE", field("state")),
    Column("REASON", field("reason")),
)

EdgeName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the edge.", show_default=False)]


@app.command("list")
def list_edges(output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """List edges and what they serve."""
    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        print_data(client.get("edges"), output, _LIST, empty="no edges")


@app.command("register")
def register_edge(name: EdgeName, output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """Register an edge and print its token, alone on standard output; it cannot be shown again."""
    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        found = client.post("edges", {"name": name})
    print_secret(found, output, f"edge {name}")


@app.command("remove")
def remove_edge(
    name: EdgeName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Forget an edge; its token ends."""
    from urllib.parse import quote

    from globalmanager.cli.client import connect

    # The token is gone for good, and the edge keeps its samples until somebody registers it again.
    if not yes:
        typer.confirm(f"Remove edge {name}?", abort=True)
    with connect(url, token) as client:
        client.delete(f"edges/{quote(name, safe='')}")
    typer.echo(f"edge {name} is removed")


@app.command("serve")
def serve_edge(
    name: EdgeName,
    data: Annotated[Path, typer.Option("--data", help="Folder for models and the spool.", show_default=False)],
    url: Annotated[str, typer.Option("--url", envvar="SEDNA_URL", help="Address of the service.", show_default=False)],
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", envvar="SEDNA_TOKEN_FILE", help="Holds the edge's token.", show_default=False),
    ] = None,
    pod_token: Annotated[
        Path | None,
        typer.Option("--pod-token", help="In a Pod instead: its service account's token.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--job", metavar="[NAMESPACE/]NAME", help="Serve this job only; may be repeated."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = any free one.")] = 8500,
    modules: Modules = None,
    allow_module_from_service: FromService = False,
    flush_seconds: Annotated[
        float, typer.Option("--flush-seconds", min=0, help="At the end, wait so long for samples to be uploaded.")
    ] = 0.0,
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "INFO",
) -> None:
    """Run the inference worker of an edge in this process, until Ctrl-C."""
    from globalmanager.cli.client import job_key
    from sedna.common.log import setup_logging
    from sedna.edge import EdgeSettings, serve

    setup_logging(log_level)
    serve(
        EdgeSettings(
            name=name,
            data_dir=data,
            url=url,
            token_file=token_file,
            pod_token_file=pod_token,
            jobs=tuple(job_key(text) for text in only or ()),
            host=host,
            port=port,
            modules=tuple(modules or ()),
            allow_module_from_service=allow_module_from_service,
            flush_seconds=flush_seconds,
        )
    )


@app.command("rejected")
def list_rejected(
    data: Annotated[Path, typer.Option("--data", help="The stopped edge's folder.", show_default=False)],
    retry: Annotated[bool, typer.Option("--retry", help="Let those that the service refused try again.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List samples that an edge has set aside, each with its reason; the edge must be stopped for this."""
    from sedna.edge import Spool

    folder = data / "spool"
    # Opening a spool makes its folder; a wrong --data must not leave one behind.
    if not folder.is_dir():
        raise NotFoundError("no edge has kept samples here", where=str(folder), hint="the --data of 'sedna edge serve'")
    with Spool(folder) as spool:
        found = [_rejected(sample) for sample in spool.refused()]
        again = spool.requeue_rejected() if retry else 0
    print_data(found, output, _REJECTED, empty="no sample was set aside")
    if retry:
        typer.echo(f"{again} samples are sent again when the edge runs", err=True)


def _rejected(sample: RefusedSample) -> dict[str, str]:
    return {
        "sample_id": sample.record.sample_id,
        "job": str(sample.record.job),
        "state": sample.state.value,
        "reason": sample.reason,
        "path": str(sample.path),
    }


def _served(status: dict[str, object]) -> str:
    job = status["job"]
    name = f"{job['namespace']}/{job['name']}" if isinstance(job, dict) else str(job)
    served = f"{name} model {status['model_version']}" if status["model_version"] else f"{name} ({status['state']})"
    return f"{served}, refused model {status['failed_version']}" if status["failed_version"] else served
