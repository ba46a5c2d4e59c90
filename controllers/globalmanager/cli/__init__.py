"""The command line. `main` is the entry point of ``sedna``; modules are imported when a command needs them."""

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 ok, 1 failure, 2 usage, 3 permanent, 4 not found, 75 temporary."""
    from globalmanager.cli.app import app

    app()
