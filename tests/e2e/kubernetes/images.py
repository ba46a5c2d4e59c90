"""Images for the pods of the tests' own node: this tree's, and programs of users on top of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from e2e.kubernetes.cluster import KUBE_DIR, Cluster

_PATH = "PATH=/opt/sedna/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_imported: set[tuple[Path, str]] = set()


def service_image(cluster: Cluster, name: str = "sedna-il:test") -> str:
    """The image of this tree under a name, made once a session, or the one of ``SEDNA_TEST_IMAGE``; skips without."""
    if "SEDNA_TEST_IMAGE" in os.environ:
        return os.environ["SEDNA_TEST_IMAGE"]
    if cluster.node_dir is None:
        pytest.skip("no image for the pods: SEDNA_TEST_IMAGE names one, or SEDNA_TEST_NODE_DIR a node to make it for")
    if (cluster.node_dir, name) not in _imported:
        cluster.run(str(Path(__file__).with_name("image.sh")), str(cluster.node_dir), name, seconds=900)
        _imported.add((cluster.node_dir, name))
    return name


def programs_image(cluster: Cluster, name: str, programs: Path, base: str) -> str:
    """The files of a folder in /home/work on top of ``base``, run by Python, as upstream's images are made."""
    if cluster.node_dir is None:
        pytest.skip(f"no node to bring the image {name} to: SEDNA_TEST_NODE_DIR names one")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        shutil.copytree(programs, root / "home" / "work", ignore=shutil.ignore_patterns("__pycache__"))
        for path in (root / "home").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        cluster.run(
            str(KUBE_DIR / "image"), name, folder, "--dir", str(cluster.node_dir), "--on", base,
            "--user", "10001:10001", "--workdir", "/home/work", "--entrypoint", '["python"]', "--cmd", '["train.py"]',
            "--env", "PYTHONUNBUFFERED=1", "--env", _PATH,
        )  # fmt: skip
    return name
