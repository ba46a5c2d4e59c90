"""``sedna worker``: what runs on the machine of a training or evaluation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sedna.common.errors import DataError, NotFoundError

if TYPE_CHECKING:
    from sedna.core.staging import WorkerAccess

app = typer.Typer(
    help="Run a work order, or stage-in its inputs and stage-out its results around a program of your own.",
    no_args_is_help=True,
)

Order = Annotated[
    str,
    typer.Argument(
        metavar="ORDER",
        help="Key of the order in the store, such as default/pcb/rounds/3/train-1/order.json; or - for the one of "
        "the token.",
        show_default=False,
    ),
]
Store = Annotated[
    str | None, typer.Option("--store", help="The store, if it is a folder of this machine.", show_default=False)
]
Service = Annotated[
    str | None,
    typer.Option(
        "--service", help="Address of the service: for objects of other stores, and reports.", show_default=False
    ),
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with the token of this attempt.", show_default=False)
]
WorkDir = Annotated[Path, typer.Option("--work-dir", help="Folder of this worker alone.")]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir", help="Files of the store that workers of this machine share.  [default: WORK-DIR/cache]",
        show_default=False,
    ),
]  # fmt: skip

_WORK = Path("sedna-work")


@app.command("run")
def run_order(
    order: Order,
    store: Store = None,
    service: Service = None,
    token_file: TokenFile = None,
    work_dir: WorkDir = _WORK,
    cache_dir: CacheDir = None,
) -> None:
    """Stage in, do the work, stage out, report.

    Killed at any time and started again, it ends with the same result. The exit code is that of the program; 2, 3 and
    75 are ours where it could not be started: mend something, give up, try again.
    """
    from sedna.core.staging import run

    raise typer.Exit(run(_access(order, store, service, token_file, work_dir, cache_dir)))


@app.command("stage-in")
def stage_in(
    order: Order,
    store: Store = None,
    service: Service = None,
    token_file: TokenFile = None,
    work_dir: WorkDir = _WORK,
    cache_dir: CacheDir = None,
    env_file: Annotated[
        Path | None,
        typer.Option("--env-file", help="Write the program's variables there, NAME=VALUE a line.", show_default=False),
    ] = None,
) -> None:
    """Bring the inputs of an order into the work folder, and nothing more: before a container that is not ours."""
    from sedna.common.atomic import write_atomic
    from sedna.core.staging import Attempt
    from sedna.core.staging.run import alone

    if env_file is not None and not env_file.absolute().parent.is_dir():
        raise NotFoundError("there is no such folder", where=f"--env-file {env_file}")
    access = _access(order, store, service, token_file, work_dir, cache_dir)
    # Alone in the folder: what a program that runs there reads and writes would be cleared away under it.
    with Attempt(access) as attempt, alone(attempt.folder.root):
        attempt.stage_in()
        if env_file is not None:
            env = attempt.folder.environment(attempt.order)
            write_atomic(env_file, "".join(f"{name}={value}\n" for name, value in env.items()).encode())
        typer.echo(str(attempt.folder.root))


@app.command("stage-out")
def stage_out(
    order: Order,
    store: Store = None,
    service: Service = None,
    token_file: TokenFile = None,
    work_dir: WorkDir = _WORK,
    listen: Annotated[
        int | None,
        typer.Option(
            "--listen", min=1, max=65535, show_default=False,
            help="Stay beside the program until SIGTERM: take its report at this port of 127.0.0.1 (its LC_SERVER), "
            "store checkpoints while it runs.",
        ),
    ] = None,
    exit_code: Annotated[int, typer.Option("--exit-code", help="How the program ended.")] = 0,
) -> None:  # fmt: skip
    """Bring what a program has left in the work folder into the store: its report, its model, its checkpoint."""
    from sedna.core.staging import Attempt

    with Attempt(_access(order, store, service, token_file, work_dir, None)) as attempt:
        # Without --listen nobody asks for its port: a program that has ended left its report in a file.
        helper = attempt.helper(port=listen or 0)
        try:
            if listen is not None:
                helper.start()
                typer.echo(f"LC_SERVER={helper.url}")
                _wait_for_termination()
            if not helper.finish(exit_code) and exit_code == 0:
                hint = f"the file {attempt.folder.report}, or a POST to LC_SERVER beside --listen"
                raise DataError("the program has left no report, so there is no result", where=order, hint=hint)
        finally:
            helper.close()


def _wait_for_termination() -> None:
    import signal
    import threading

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1.0):  # in steps: a wait without an end is not interrupted by signals everywhere
        pass


def _access(
    order: str,
    store: str | None,
    service: str | None,
    token_file: Path | None,
    work_dir: Path,
    cache_dir: Path | None,
) -> WorkerAccess:
    from sedna.common.log import setup_logging
    from sedna.common.token_file import read_token_file
    from sedna.core.staging import WorkerAccess

    setup_logging(os.environ.get("LOG_LEVEL", "INFO"))
    access = WorkerAccess(
        order="" if order == "-" else order,
        store_url=store,
        service_url=service,
        worker_token=None if token_file is None else read_token_file(token_file),
        work_dir=work_dir,
        cache_dir=cache_dir if cache_dir is not None else work_dir / "cache",
    )
    access.check()
    return access
