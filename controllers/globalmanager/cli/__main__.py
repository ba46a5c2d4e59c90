"""``python -m globalmanager.cli``: the command line where its script is not on the path."""

from globalmanager.cli import main

main()
