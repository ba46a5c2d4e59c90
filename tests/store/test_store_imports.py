"""What importing the store costs."""

from __future__ import annotations

import subprocess
import sys


def test_a_folder_costs_no_http_stack_and_no_torch() -> None:
    script = (
        "import sys, sedna.store.models, sedna.store.datasets\n"
        "print([name for name in ('minio', 'urllib3', 'torch') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert found.stdout.strip() == "[]"
