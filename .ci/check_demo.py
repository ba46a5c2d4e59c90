"""Fail unless the demo kept its promises (see README, "What the demo shows").

python .ci/check_demo.py demo.json demo.html
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

REPORT_MAX_MIB = 20


def broken_promises(figures: dict, report: str) -> list[str]:
    """One line for each promise that does not hold."""
    rounds = figures["rounds"]
    outcomes = [entry["outcome"] for entry in rounds]
    promises = {
        "at least two rounds put a better model into service": outcomes.count("Deployed") >= 2,
        "the gate rejected one candidate": "Rejected" in outcomes,
        "every round says why it started and what the gate found": all(
            entry["trigger"] and entry["verdict"] and entry["samples"] > 0 for entry in rounds
        ),
        "F1 on the frozen hold-out rises by 0.10 or more": figures["f1_after"] - figures["f1_before"] >= 0.10,
        "no request failed while models were swapped": figures["requests_failed"] == 0 < figures["requests"],
        "no sample was lost": figures["samples_lost"] == 0 < figures["samples_stored"],
        "stored as many samples as were spooled": figures["samples_stored"] == figures["samples_spooled"],
        "at most five minutes": 0 < figures["seconds"] <= 300,
        "at most 4 GiB": 0 < figures["peak_rss_mib"] <= 4096,
        "the report is one self-contained page": "<html" in report
        and "data:image/" in report
        and 'src="http' not in report
        and len(report) <= REPORT_MAX_MIB * 2**20,
    }
    return [promise for promise, kept in promises.items() if not kept]


def main() -> int:
    """Print the figures and the broken promises; 1 if there are any."""
    if len(sys.argv) != 3:
        print("usage: python .ci/check_demo.py FIGURES.json REPORT.html (make demo ARGS='--json FIGURES.json')")
        return 2
    figures = json.loads(Path(sys.argv[1]).read_text())
    shown = {key: value for key, value in figures.items() if key != "rounds"}
    print(json.dumps(shown, indent=2))
    broken = broken_promises(figures, Path(sys.argv[2]).read_text())
    for promise in broken:
        print(f"NOT KEPT: {promise}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
