"""``sedna cluster``: what the chart runs beside the service."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from globalmanager.cli.options import Token, Url

app = typer.Typer(
    help="Check an installed service, and release what it held once it is gone: for the chart.", no_args_is_help=True
)

Namespaces = Annotated[
    list[str] | None,
    typer.Option("--namespace", metavar="NAME", help="Where jobs are; repeatable. Default: everywhere."),
]


@app.command("check")
def check(
    url: Url = None,
    token: Token = None,
    namespace: Annotated[str, typer.Option("--namespace", help="Where a Dataset is tried, as a dry run.")] = "default",
    kinds: Annotated[
        bool, typer.Option("--kinds/--no-kinds", help="Whether one is tried, which needs the right to make it.")
    ] = True,
    seconds: Annotated[
        float, typer.Option("--wait", min=0.0, help="How long the service may start, in seconds.")
    ] = 60.0,
) -> None:
    """Say whether an installed service works: ready, with its admin, its store, and an API server that knows our kinds.

    The store is that of the environment (SEDNA__STORE_URL, SEDNA__S3__...); without it only the service is asked.
    """
    from globalmanager.cli.client import connect
    from globalmanager.cluster.checks import check_kinds
    from globalmanager.cluster.client import KubernetesApi
    from globalmanager.service.checks import check_ready, check_store
    from sedna.common.clock import SystemClock

    with connect(url, token) as client:
        typer.echo(f"service   {check_ready(client.url, SystemClock(), seconds)}")
        typer.echo(f"admin     {len(client.get('tokens'))} token(s) known")
    typer.echo(f"store     {check_store(f'checks/{secrets.token_hex(8)}')}")
    if not kinds:
        typer.echo("kinds     not asked for")
        return
    api = KubernetesApi.connect()
    try:
        typer.echo(f"kinds     {check_kinds(api, namespace)}")
    finally:
        api.close()


@app.command("release")
def release(
    after: Annotated[
        str,
        typer.Option(
            "--after", metavar="NAMESPACE/RELEASE", help="First wait until the Pods of this release are gone."
        ),
    ],
    namespaces: Namespaces = None,
    seconds: Annotated[float, typer.Option("--wait", min=0.0, help="How long to wait for them, in seconds.")] = 90.0,
) -> None:
    """Take our finalizer off the jobs of a service that was uninstalled, and end their worker Pods."""
    from globalmanager.cluster.client import KubernetesApi
    from globalmanager.operator.release import release as let_go
    from globalmanager.operator.release import wait_for_end
    from sedna.common.clock import SystemClock
    from sedna.common.errors import SpecError

    namespace, slash, name = after.partition("/")
    if not (namespace and slash and name):
        raise SpecError(f"{after!r} names no release", where="--after", hint="NAMESPACE/RELEASE")
    api = KubernetesApi.connect()
    try:
        wait_for_end(api, namespace, name, SystemClock(), seconds)
        done = let_go(api, namespaces or (), after)
    finally:
        api.close()
    for job in done.jobs:
        typer.echo(f"job {job} can be deleted without the service")
    for pod in done.pods:
        typer.echo(f"pod {pod} ends")
    typer.echo(f"{len(done.jobs)} job(s), {len(done.pods)} pod(s)")
