"""The protocols of the benchmark, and what is run under each by default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sedna.algorithms.continual.config import RunConfig, build_config, read_config
from sedna.common.errors import SpecError

PROTOCOLS = ("P-smoke", "P-5", "P-60", "P-60b", "P-full")

_SHORT = ("SFT", "ER", "DER", "DER+UDA", "EdgeHML", "EdgeHML++")
_ALL = (
    "SFT",
    "independent",
    "joint",
    "SI",
    "SI-path",
    "oEWC",
    "PNN",
    "ER",
    "DER",
    "DER++",
    "ER+FixMatch",
    "DER+UDA",
    "DER+FixMatch",
    "DER+FlexMatch",
    "DER+MixMatch",
    "CCIC",
    "EdgeHML",
    "EdgeHML-skip",
    "EdgeHML-budgeted",
    "EdgeHML-straightforward",
    "EdgeHML++",
)
ABLATION = (
    "EdgeHML++",
    "EdgeHML++-unmasked",
    "EdgeHML++-narrow",
    "EdgeHML++-stored",
    "EdgeHML++-weak",
    "EdgeHML++-mixed",
    "EdgeHML++-replay8",
    "EdgeHML++-replay24",
    "EdgeHML++-random",
    "EdgeHML++-plain",
    "EdgeHML++-running",
    "EdgeHML++-decay0005",
    "EdgeHML++-unmirrored",
    "EdgeHML++-consistency",
)
"""What ``--methods ablation`` stands for: EdgeHML++ with one part changed at a time."""

DEFAULT_METHODS: dict[str, tuple[str, ...]] = {
    "P-smoke": _SHORT,
    "P-5": _SHORT,
    "P-60": _ALL,
    "P-60b": _ALL,
    "P-full": _ALL,
}


def protocol_config(
    protocol: str, method: str, seed: int, *, root: str | None = None, options: Sequence[str] = ()
) -> RunConfig:
    """The configuration of one run.

    Args:
        root: folder of the data set, in place of the protocol's.
        options: ``key.path=value`` texts that win over the protocol.

    Raises:
        SpecError: unknown protocol, method or option.
    """
    if protocol not in PROTOCOLS:
        raise SpecError(f"unknown protocol {protocol!r}", where="--protocol", hint=", ".join(PROTOCOLS))
    for option in options:
        if option.partition("=")[0].strip() in ("seed", "method", "method.name"):
            raise SpecError(f"option {option!r}", where="--cfg-options", hint="--seeds, --methods")
    content: dict[str, Any] = read_config(f"protocols/{protocol}", options)
    content["seed"] = seed
    content["method"] = {**content.get("method", {}), "name": method}
    if root is not None:
        content["data"] = {**content.get("data", {}), "root": root}
    return build_config(content, where=protocol)
