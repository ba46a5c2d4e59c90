"""``python -m ianvs``."""

import sys

from ianvs.cli import main

if __name__ == "__main__":
    sys.exit(main())
