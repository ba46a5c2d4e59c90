"""The command ``ianvs``: upstream's options, and ours.

Nothing heavy is imported before it is needed: ``ianvs -v`` must answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from ianvs.commands.arguments import add_job_file, job_file

COMMANDS = ("validate", "replay", "export")
INTERRUPTED = 130


def _version() -> str:
    return metadata.version("sedna-il")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ianvs",
        description="AI Benchmarking Tool",
        epilog=f"further commands: {', '.join(f'ianvs {name} -h' for name in COMMANDS)}",
    )
    add_job_file(parser)
    parser.add_argument("-v", "--version", action="version", version=_version() if _asks_version() else "")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="test cases at a time (default: 1)")
    parser.add_argument(
        "--resume", action="store_true", help="keep results, and go on with test cases that were under way"
    )
    parser.add_argument("--no-report", action="store_true", help="write no report.html")
    return parser


def _asks_version() -> bool:
    return bool({"-v", "--version"} & set(sys.argv[1:]))


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        _parser().print_help(sys.stderr)
        return 1
    from sedna.common.errors import SednaError
    from sedna.common.log_repeats import RepeatFilter

    bounded = logging.StreamHandler()
    bounded.addFilter(RepeatFilter())
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[bounded]
    )

    try:
        if words[0] in COMMANDS:
            return _command(words[0], words[1:])
        parser = _parser()
        return _run(parser, parser.parse_args(words))
    except SednaError as error:
        sys.stderr.write(f"ianvs: {error}\n")
        return 1
    # A disk that fills up, above all: errors of data and of user code end in the result of their test case.
    except OSError as error:
        logging.getLogger("ianvs").debug("failed", exc_info=True)
        sys.stderr.write(f"ianvs: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("ianvs: interrupted; --resume goes on where it was\n")
        return INTERRUPTED


def _command(name: str, words: Sequence[str]) -> int:
    code: int = importlib.import_module(f"ianvs.commands.{name}").main(words)
    return code


def _run(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from ianvs.commands.run import run

    if not (options.file or options.file_option):
        sys.stderr.write("not found benchmarking config(None) file in local\n")
        return 1
    file = job_file(parser, options)
    if not Path(file).is_file():
        sys.stderr.write(f"not found benchmarking config({file}) file in local\n")
        return 1
    return run(file, jobs=options.jobs, resume=options.resume, report=not options.no_report)


if __name__ == "__main__":
    sys.exit(main())
