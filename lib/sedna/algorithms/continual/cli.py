"""The commands ``sedna train`` and ``sedna bench continual``. torch is imported when one of them runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from sedna.common.atomic import write_atomic
from sedna.common.errors import SpecError
from sedna.common.plugin import load_modules

__all__ = ["bench", "bench_app", "train", "train_app"]

train_app = typer.Typer(help="Train a continual-learning method from a configuration.", no_args_is_help=True)
bench_app = typer.Typer(help="Benchmarks.", no_args_is_help=True)

Modules = Annotated[
    list[Path] | None,
    typer.Option("--module", metavar="FILE", help="Your Python file that registers methods; repeatable."),
]


@train_app.command("train")
def train(
    config: Annotated[str, typer.Argument(help="A YAML file, or a shipped one such as split_semi_cifar100/edgehml")],
    cfg_options: Annotated[
        list[str] | None, typer.Option(help="key.path=value, wins over the file; repeatable")
    ] = None,
    work_dir: Annotated[Path, typer.Option(help="Checkpoint and memory; an interrupted run goes on there")] = Path(
        "work"
    ),
    data: Annotated[str | None, typer.Option(help="Folder of the data set, in place of data.root")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here")] = None,
    model: Annotated[
        Path | None, typer.Option(help="Write the network here, as a job's initial model and for edges (.onnx)")
    ] = None,
    module: Modules = None,
) -> None:
    """Train one method on one task set, and print its figures."""
    from sedna.algorithms.continual.config import load_config
    from sedna.algorithms.continual.data.sets import build_tasks
    from sedna.algorithms.continual.training.trainer import Trainer
    from sedna.algorithms.training.progress import log_line

    load_modules(module or ())
    _make_folder_of(json_file)
    run = load_config(config, cfg_options or (), root=data)
    if model is not None:
        from sedna.algorithms.continual.job.from_run import save_run
        from sedna.algorithms.continual.job.round import require_one_network
        from sedna.algorithms.training.model_file import model_path

        # Now: after hours of training it would be late to refuse the model or its place.
        require_one_network(run.method, "--model")
        model_path(model)
    tasks = build_tasks(run.data, run.seed)
    trainer = Trainer(run, tasks, work_dir, on_progress=lambda progress: typer.echo(log_line(progress), err=True))
    result = trainer.run()
    curve = " ".join(f"{value:.1f}" for value in result.average_accuracy)
    typer.echo(f"{result.method}: average accuracy after each task {curve}; forgetting {result.forgetting:.1f}")
    if model is not None:
        typer.echo(f"model: {save_run(trainer, model)}")
    if json_file is not None:
        write_atomic(json_file, result.model_dump_json(indent=1).encode())


@bench_app.command("continual")
def bench(
    protocol: Annotated[str, typer.Option(help="P-smoke, P-5, P-60, P-60b or P-full")] = "P-60",
    methods: Annotated[
        list[str] | None, typer.Option(help="Names with commas between them, or: ablation; default: of the protocol")
    ] = None,
    seeds: Annotated[str, typer.Option(help="How many (3 runs seeds 0, 1, 2), or a list: 0,4,7")] = "3",
    data: Annotated[str | None, typer.Option(help="Folder of the data set")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures here")] = None,
    plots: Annotated[Path | None, typer.Option(help="Draw the figures into this folder")] = None,
    work_dir: Annotated[
        Path | None, typer.Option(help="Keep runs here, so that an interrupted benchmark goes on")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs at a time; more than one disturbs the times")] = 1,
    cfg_options: Annotated[list[str] | None, typer.Option(help="key.path=value for every run; repeatable")] = None,
    module: Modules = None,
) -> None:
    """Run methods under a protocol and compare them."""
    from sedna.algorithms.continual.bench.plots import draw
    from sedna.algorithms.continual.bench.protocols import ABLATION, DEFAULT_METHODS, PROTOCOLS
    from sedna.algorithms.continual.bench.report import markdown_table
    from sedna.algorithms.continual.bench.runner import BenchPlan, run_benchmark

    load_modules(module or ())
    _make_folder_of(json_file)
    if protocol not in PROTOCOLS:
        raise SpecError(f"unknown protocol {protocol!r}", where="--protocol", hint=", ".join(PROTOCOLS))
    named = [name.strip() for text in methods or [] for name in text.split(",") if name.strip()]
    if named == ["ablation"]:
        named = list(ABLATION)
    plan = BenchPlan(
        protocol=protocol,
        methods=tuple(dict.fromkeys(named)) or DEFAULT_METHODS[protocol],
        seeds=parse_seeds(seeds),
        root=data,
        work_dir=work_dir,
        jobs=jobs,
        options=tuple(cfg_options or ()),
        modules=tuple(module or ()),
        command=shlex.join(["sedna", *sys.argv[1:]]),
    )
    report = run_benchmark(plan, lambda line: typer.echo(line, err=True))
    typer.echo(markdown_table(report))
    if json_file is not None:
        write_atomic(json_file, report.model_dump_json(indent=1).encode())
    if plots is not None:
        draw(report, plots)


def _make_folder_of(file: Path | None) -> None:
    """Now, and not after hours of training."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)


def parse_seeds(text: str) -> tuple[int, ...]:
    """``"3"`` is three seeds from 0 on, ``"4,7"`` are these, ``"0"`` is seed 0.

    Raises:
        SpecError: not whole numbers.
    """
    try:
        numbers = [int(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0:
        raise SpecError(f"seeds {text!r}", where="--seeds", hint="how many, or a list such as 0,1,2")
    if len(numbers) == 1 and "," not in text:
        return tuple(range(max(1, numbers[0])))
    return tuple(dict.fromkeys(numbers))
