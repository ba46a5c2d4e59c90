"""Runs methods and seeds of a protocol, one after the other or in several processes; finished runs are not repeated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from sedna.algorithms.continual.bench.protocols import protocol_config
from sedna.algorithms.continual.bench.report import BenchReport, make_report, summarise
from sedna.algorithms.continual.config import RunConfig
from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.sets import load_images, split_tasks
from sedna.algorithms.continual.methods.registry import check_method
from sedna.algorithms.continual.training.result import RunResult
from sedna.algorithms.continual.training.trainer import Trainer
from sedna.algorithms.training.progress import TrainingProgress, log_line
from sedna.common.errors import SpecError
from sedna.common.plugin import load_modules

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class BenchPlan:
    """What to run.

    Args:
        root: folder of the data set; None: as the protocol says.
        work_dir: keeps a folder a run, so that an interrupted benchmark goes on; None: a temporary folder.
        jobs: processes at a time. More than one disturbs the times; processor seconds are still comparable.
        options: ``key.path=value`` texts for every run.
        modules: Python files that register methods, for the processes; whoever calls has loaded them already.
        command: what a reader has to type to repeat it, for the report.
    """

    protocol: str
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    root: str | None = None
    work_dir: Path | None = None
    jobs: int = 1
    options: tuple[str, ...] = ()
    modules: tuple[Path, ...] = ()
    command: str = ""


def run_benchmark(plan: BenchPlan, on_line: OnLine = lambda _line: None) -> BenchReport:
    """Run everything and summarise.

    Raises:
        SpecError: unknown protocol, method or option, found before anything runs.
        NotFoundError, DataError: the data is not there, or damaged.
    """
    if not plan.methods or not plan.seeds:
        raise SpecError("nothing to run", where="--methods, --seeds", hint="one or more of each")
    configs = [
        protocol_config(plan.protocol, method, seed, root=plan.root, options=plan.options)
        for seed in plan.seeds
        for method in plan.methods
    ]
    for config in configs:
        check_method(config.method, config.data.cl_type)
    for config in configs[: len(plan.methods)]:
        for key, value in config.method.train_overrides.items():
            if any(option.partition("=")[0].strip() == f"train.{key}" for option in plan.options):
                on_line(f"{config.method.name} keeps its own train.{key}={value}")
    with _work_dir(plan.work_dir) as folder:
        results = _in_turn(configs, folder, on_line) if plan.jobs == 1 else _pool(configs, folder, plan, on_line)
    methods = {name: summarise([run for run in results if run.method == name]) for name in plan.methods}
    return make_report(plan.protocol, plan.command, configs[0].train.threads, methods)


@contextmanager
def _work_dir(path: Path | None) -> Iterator[Path]:
    if path is not None:
        yield path
        return
    with TemporaryDirectory(prefix="sedna-bench-") as folder:
        yield Path(folder)


def _in_turn(configs: Sequence[RunConfig], folder: Path, on_line: OnLine) -> list[RunResult]:
    images = load_images(configs[0].data)
    return [_one(config, folder, images, on_line) for config in configs]


def _one(config: RunConfig, folder: Path, images: tuple[ImageSet, ImageSet], on_line: OnLine) -> RunResult:
    name = f"{config.method.name} seed {config.seed}"

    def report(progress: TrainingProgress) -> None:
        if progress.note:
            on_line(f"{name}: {log_line(progress)}")

    tasks = split_tasks(config.data, config.seed, *images)
    result = Trainer(config, tasks, folder / folder_name(config), on_progress=report).run()
    on_line(
        f"{name}: average accuracy {result.average_accuracy[-1]:.2f}, forgetting {result.forgetting:.2f}, "
        f"{result.seconds_per_iteration * 1000:.1f} ms an iteration"
    )
    return result


def folder_name(config: RunConfig) -> str:
    """The folder of a run inside the work folder of the benchmark."""
    method = re.sub(r"[^A-Za-z0-9-]", lambda match: "p" if match[0] == "+" else "_", config.method.name)
    return f"{method}-seed{config.seed}"


_IMAGES: dict[str, tuple[ImageSet, ImageSet]] = {}


def _in_process(config: RunConfig, folder: Path) -> RunResult:
    """Entry point of a worker process; the pictures are loaded once a process."""
    key = config.data.model_dump_json()
    if key not in _IMAGES:
        _IMAGES[key] = load_images(config.data)
    return _one(config, folder, _IMAGES[key], lambda _line: None)


def _pool(configs: Sequence[RunConfig], folder: Path, plan: BenchPlan, on_line: OnLine) -> list[RunResult]:
    results: dict[int, RunResult] = {}
    # "spawn": a forked copy of a process that has used torch's threads can hang.
    with ProcessPoolExecutor(
        plan.jobs, mp_context=get_context("spawn"), initializer=load_modules, initargs=(plan.modules,)
    ) as pool:
        futures = {pool.submit(_in_process, config, folder): index for index, config in enumerate(configs)}
        try:
            for future in as_completed(futures):
                result = future.result()
                results[futures[future]] = result
                on_line(f"{result.method} seed {result.seed}: average accuracy {result.average_accuracy[-1]:.2f}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # the runs that wait need not be done to say what is wrong
            raise
    return [results[index] for index in range(len(configs))]
