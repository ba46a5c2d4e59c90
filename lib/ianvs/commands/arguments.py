"""The job file of a command: ``ianvs validate job.yaml``, or ``-f job.yaml`` as upstream has it."""

from __future__ import annotations

import argparse


def add_job_file(parser: argparse.ArgumentParser, option: str = "--benchmarking_config_file", what: str = "") -> None:
    """The file by its place and by an option."""
    shown = what or "a benchmarking job"
    parser.add_argument("file", metavar="FILE", nargs="?", help=f"yaml file of {shown}")
    parser.add_argument("-f", option, metavar="FILE", dest="file_option", nargs="?", help="the same, as an option")


def job_file(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """The file that was named; ends the command if there is none, or are two."""
    given: list[str] = [name for name in (options.file, options.file_option) if name]
    if not given:
        parser.error(f"which file? {parser.prog} FILE")
    if len(set(given)) > 1:
        parser.error(f"one file at a time, not {given[0]} and {given[1]}")
    return given[0]
