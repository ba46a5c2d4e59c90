"""``python -m globalmanager.cli``."""

from globalmanager.cli import main

main()
