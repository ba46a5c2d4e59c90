"""The public names: a change here is a change of the contract."""

from __future__ import annotations

import subprocess
import sys

import sedna.labels
import sedna.store


def test_store_exports() -> None:
    assert sedna.store.__all__ == [
        "FolderStore", "ObjectInfo", "ObjectStore", "S3Settings", "Source", "check_key", "open_store",
    ]  # fmt: skip


def test_labels_exports() -> None:
    assert sedna.labels.__all__ == [
        "Clipped", "CocoIds", "CocoRead", "LabelReport", "LabelSet", "LabelledImage", "LabelsRead", "Mode", "Skipped",
        "read_coco", "read_txt", "read_voc", "validate", "write_coco", "write_txt", "write_voc",
    ]  # fmt: skip


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
