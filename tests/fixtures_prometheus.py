"""What Prometheus's own linter says of an exposition, and which of its labels a scrape would rename."""

from __future__ import annotations

import re
from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

TARGET_LABELS = frozenset({"job", "instance", "namespace", "pod", "service", "container", "endpoint", "node"})
"""Given by Prometheus and its operator to what they scrape: a label of ours of such a name becomes ``exported_...``."""

_ABBREVIATED = re.compile(r"_(s|ms|us|ns|secs?|mins?|hrs|[kmg]i?b|bits|milliseconds|minutes|hours)(_|$)")
_OWN = {"histogram": ("_bucket", "_count", "_sum"), "summary": ("", "_count", "_sum")}


def problems(text: str) -> list[str]:
    """Sentences about what is wrong, by the rules of ``promtool check metrics``."""
    return [said for family in text_string_to_metric_families(text) for said in _of(family)]


def _of(family: Metric) -> Iterator[str]:
    name = family.name
    if not family.documentation:
        yield f"{name}: no help text"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        yield f"{name}: not in snake_case"
    if _ABBREVIATED.search(name):
        yield f"{name}: not a base unit"
    if re.search(r"_(gauge|counter|histogram|summary)(_|$)", name):
        yield f"{name}: its type is in its name"
    for sample in family.samples:
        ends = sample.name.removeprefix(name)
        if family.type == "counter" and ends not in ("_total", "_created"):
            yield f"{sample.name}: a counter's name ends in _total"
        if family.type != "counter" and sample.name.endswith("_total"):
            yield f"{sample.name}: only a counter's name ends in _total"
        if family.type not in _OWN and sample.name.endswith(("_bucket", "_count", "_sum")):
            yield f"{sample.name}: the name of a part of a histogram"
        for label in sample.labels:
            if label in TARGET_LABELS or label.startswith(("exported_", "__")):
                yield f"{sample.name}: label {label} is one of the target"
            if label in ("le", "quantile") and family.type not in _OWN:
                yield f"{sample.name}: label {label} is one of histograms and summaries"
