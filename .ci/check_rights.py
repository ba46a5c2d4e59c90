"""Rights of the chart's Role that no test made the code ask for: they would be given for nothing.

SEDNA_RIGHTS_LOG=FOLDER make test
python .ci/check_rights.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("tests", "lib", "controllers")]

from fixtures_rights import CLEANUP, ELSEWHERE, SERVICE, rights_of  # noqa: E402
from globalmanager.cluster.watch import WATCHED  # noqa: E402

# Not requests of their own: an owner reference that blocks deletion is checked against this right (admission).
IMPLIED = {("update", "incrementallearningjobs/finalizers")}


# One piece of code asks for each group, by the kind that a job wants; not every test goes through every kind.
ALIKE = ({"deployments", "daemonsets", "services"}, {"datasets", "models"})


def family(right: tuple[str, str]) -> tuple[str, str]:
    """The right, with one name for kinds that are asked for alike."""
    verb, what = right
    return verb, next((min(group) for group in ALIKE if what in group), what)


def main(folder: Path) -> int:
    """Print what is superfluous; the exit status."""
    files = sorted(folder.glob("*.json"))
    if not files:
        print(f"{folder} is empty: run the tests with SEDNA_RIGHTS_LOG={folder}")
        return 2
    asked = {(verb, what) for file in files for verb, what in json.loads(file.read_text())}
    asked |= {(verb, kind.plural) for kind in WATCHED for verb in ("list", "watch")} | IMPLIED
    known = {family(right) for right in asked}
    unused = {right for right in rights_of(SERVICE) | rights_of(CLEANUP) | ELSEWHERE if family(right) not in known}
    for verb, what in sorted(unused):
        print(f"nobody asked for: {verb} {what}")
    print(f"{len(asked)} rights asked for, {len(unused)} given for nothing")
    return 1 if unused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
