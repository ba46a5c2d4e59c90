"""A small benchmark in a folder of its own, as a user of upstream would have it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STYLE = Path(__file__).parent / "ianvs" / "upstream_style"
TRAIN, TEST = 100, 40


@dataclass
class Bench:
    """The folder, and ways to change and run what is in it."""

    folder: Path

    def edit(self, file: str, **changes: Any) -> None:
        """Set keys (``a__b`` for nested ones) below the file's top key."""
        path = self.folder / file
        document = yaml.safe_load(path.read_text())
        top = next(iter(document.values()))
        for key, value in changes.items():
            place = top
            *outer, last = key.split("__")
            for part in outer:
                place = place.setdefault(part, {})
            if value is ...:
                place.pop(last)
            else:
                place[last] = value
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def own_data(self) -> Path:
        """Data that may be changed."""
        for part in ("train_data", "test_data"):
            link = self.folder / "dataset" / part
            source = link.resolve()
            link.unlink()
            shutil.copytree(source, link)
        return self.folder / "dataset"

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command in the folder."""
        return subprocess.run(
            [sys.executable, "-m", "ianvs", *(words or ("-f", "benchmarkingjob.yaml"))],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def workspace(self) -> Path:
        return self.folder / "workspace" / "benchmarkingjob"

    def results(self) -> list[dict[str, Any]]:
        """Every result of the workspace."""
        return [json.loads(path.read_text()) for path in sorted(self.workspace.glob("**/result.json"))]

    def rank(self, name: str = "all") -> list[list[str]]:
        """Lines of a rank, split."""
        text = (self.workspace / "rank" / f"{name}_rank.csv").read_text()
        return [line.split(",") for line in text.splitlines()]


def write_data(folder: Path, count: int, offset: int) -> None:
    """Numbers in [0, 1) spread evenly in a fixed mixed order; the label says whether one exceeds 0.5."""
    for kind in ("x", "labels"):
        (folder / kind).mkdir(parents=True)
    lines = []
    for number in range(count):
        value = ((number * 7 + offset) % count + 0.5) / count
        name = f"{offset}-{number}"
        (folder / "x" / f"{name}.txt").write_text(str(value))
        (folder / "labels" / f"{name}.lab").write_text(str(int(value > 0.5)))
        lines.append(f"./x/{name}.txt ./labels/{name}.lab\n")
    (folder / "index.txt").write_text("".join(lines))


def make_data(folder: Path) -> Path:
    """Train and test data, to be shared by benchmarks that do not change them."""
    write_data(folder / "train_data", TRAIN, 0)
    write_data(folder / "test_data", TEST, 3)
    return folder


def make_bench(folder: Path, data: Path) -> Bench:
    """The benchmark in a new folder; its data are links."""
    shutil.copytree(STYLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dataset").mkdir()
    for part in ("train_data", "test_data"):
        (folder / "dataset" / part).symlink_to(data / part)
    (folder / "initial_model").mkdir()
    (folder / "initial_model" / "model.json").write_text('{"threshold": 0.7}')
    return Bench(folder)


def write_boards(folder: Path, numbers: range) -> None:
    """Boards with one to three defects; a picture lists what a detector would see of them, and how surely."""
    for name in ("JPEGImages", "Annotations"):
        (folder / name).mkdir(parents=True)
    lines = []
    for number in numbers:
        seen, objects = [], ""
        for defect in range(1 + number % 3):
            kind = ("Bad_podu", "Bad_qiaojiao")[(number + defect) % 2]
            x, y = 100 * defect, 10 * number % 400
            seen.append([kind, [x, y, x + 60, y + 60], 0.8 if number % 4 else 0.95])
            corners = "".join(
                f"<{side}>{value}</{side}>"
                for side, value in zip(("xmin", "ymin", "xmax", "ymax"), (x, y, x + 60, y + 60), strict=True)
            )
            objects += f"<object><name>{kind}</name><bndbox>{corners}</bndbox></object>"
        size = "<size><width>640</width><height>640</height><depth>3</depth></size>"
        (folder / "JPEGImages" / f"{number}.jpeg").write_text(json.dumps(seen))
        (folder / "Annotations" / f"{number}.xml").write_text(
            f"<annotation><filename>{number}.jpeg</filename>{size}{objects}</annotation>"
        )
        lines.append(f"./JPEGImages/{number}.jpeg ./Annotations/{number}.xml\n")
    (folder / "index.txt").write_text("".join(lines))


def make_boards(folder: Path) -> Bench:
    """A detection benchmark, laid out as upstream's repository is: started from its root, data and model beside."""
    shutil.copytree(STYLE.with_name("upstream_boards"), folder / "examples" / "boards")
    write_boards(folder / "dataset" / "train_data", range(40))
    write_boards(folder / "dataset" / "test_data", range(100, 112))
    (folder / "initial_model").mkdir()
    with zipfile.ZipFile(folder / "initial_model" / "model.zip", "w") as archive:
        archive.writestr("start_model.ckpt.data", '{"off": 40.0}')
    return Bench(folder)


def pid_in(trace: Path) -> int | None:
    lines = trace.read_text().splitlines() if trace.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith("pid")), None)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for(ready: Any, seconds: float = 60) -> Any:
    """What ``ready`` answers as soon as it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := ready():
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain")
