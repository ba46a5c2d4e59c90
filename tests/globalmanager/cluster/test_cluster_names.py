import re

import pytest

from globalmanager.cluster.names import job_labels, label_value, object_name

LABEL = re.compile(r"^[a-z]([-a-z0-9]*[a-z0-9])?$")
JOBS = ["pcb", "a.b", "a-b", "7segments", "a" * 63, "a" * 200, "a." * 60 + "b", "x" * 56, "x" * 57, "9." + "y" * 240]


@pytest.mark.parametrize("suffix", ["edge", "inference"])
def test_every_job_has_an_object_name_of_its_own(suffix: str) -> None:
    names = [object_name(job, suffix) for job in JOBS]
    assert len(set(names)) == len(JOBS)
    for name in names:
        assert LABEL.match(name)
        assert len(name) <= 63
        assert name.endswith(f"-{suffix}")


def test_a_plain_name_stays_readable() -> None:
    assert object_name("pcb", "edge") == "pcb-edge"
    assert object_name("pcb.line-7", "edge").startswith("pcb-line-7-")


def test_labels_take_any_job() -> None:
    assert label_value("pcb") == "pcb"
    long = label_value("a" * 53 + "." + "a" * 100)
    assert len(long) <= 63
    assert re.match(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", long)
    assert ".-" not in long
    assert label_value("a" * 70) != label_value("a" * 71)


def test_upstreams_labels_are_there() -> None:
    assert job_labels("helmet-demo", "u-1", "inference") == {
        "incrementallearningjob.sedna.io/name": "helmet-demo",
        "incrementallearningjob.sedna.io/uid": "u-1",
        "incrementallearningjob.sedna.io/worker-type": "inference",
        "app.kubernetes.io/managed-by": "sedna",
    }
