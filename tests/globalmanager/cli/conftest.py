from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fixtures_service import Boards, eventually
from globalmanager.cli.app import app
from globalmanager.cli.contexts import save_context
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from sedna.common.log import LOGGER


@dataclass
class Cli:
    """The command line of a user whose saved context is the running service."""

    folder: Path
    service: Service
    boards: Boards

    def run(self, *arguments: str, code: int = 0, **options: str) -> Result:
        environment = {"SEDNA_CONFIG_DIR": str(self.folder / "config"), "SEDNA_URL": None, "SEDNA_TOKEN": None}
        result = CliRunner().invoke(app, list(arguments), env=environment, **options)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    def out(self, *arguments: str) -> str:
        """What the command prints, times and long ids made equal."""
        return self.run(*arguments).stdout


@pytest.fixture(autouse=True)
def _log_set_up_by_a_command_ends_with_the_test() -> Iterator[None]:
    before = list(LOGGER.handlers), LOGGER.level, LOGGER.propagate
    yield
    LOGGER.handlers[:], LOGGER.level, LOGGER.propagate = before


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A service with one finished round: model 2 in the place of model 1."""
    folder = tmp_path_factory.mktemp("cli")
    boards = Boards(folder / "boards")
    service = Service(ServiceSettings(data_dir=folder / "data", port=0))
    service.start()
    save_context(folder / "config" / "client.json", service.url, service.admin_token)
    made = Cli(folder, service, boards)
    (folder / "job.yaml").write_text(boards.job())
    made.run("job", "apply", "-f", str(folder / "job.yaml"))
    eventually(lambda: '"labelled": 8' in made.out("job", "get", "pcb", "-o", "json"))
    eventually(lambda: '"champion": 1' in made.out("job", "get", "pcb", "-o", "json"))
    made.run("trigger", "pcb", "train", "--reason", "first round", "--wait")
    yield made
    service.stop()


@pytest.fixture
def nowhere(tmp_path: Path) -> Cli:
    """The command line of a user without any service."""
    return Cli(tmp_path, None, None)  # type: ignore[arg-type]
