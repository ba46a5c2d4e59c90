"""Every name that a configuration of this family may use, without torch: a service that starts its workers elsewhere
has none, and says all the same what is a typing mistake. Tests compare them with the classes behind them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sedna.common.errors import SpecError

NETWORK_NAMES: Final = (
    "conv4", "conv2", "cifar_resnet10", "cifar_resnet18", "cifar_resnet34", "senet18", "cbam18", "ran", "resnet18",
    "resnet50", "resnext50", "mobilenet_v2", "vgg11", "vgg16", "inception_v3",
)  # fmt: skip

TERM_NAMES: Final = ("UDA", "FixMatch", "FlexMatch", "MixMatch")

TERM_ALIASES: Final = {"Flex": "FlexMatch", "Fix": "FixMatch", "Mix": "MixMatch"}


@dataclass(frozen=True)
class Preset:
    """A named variant: options of its method, and settings of the ``train`` section that belong to it."""

    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    train: Mapping[str, Any] = field(default_factory=dict)


PRESETS: dict[str, Preset] = {
    "EdgeHML-skip": Preset("EdgeHML", {"progressive": "skip"}),
    "EdgeHML-budgeted": Preset("EdgeHML", {"memory_mode": "budgeted"}),
    "EdgeHML-straightforward": Preset(
        "EdgeHML", {"weak_graph": True}, {"precision": "fp32", "memory_format": "contiguous"}
    ),
    "EdgeHML++-unmasked": Preset("EdgeHML++", {"mask": "none"}),
    "EdgeHML++-narrow": Preset("EdgeHML++", {"wide": 0.0}),
    "EdgeHML++-stored": Preset("EdgeHML++", {"fresh": False}),
    "EdgeHML++-weak": Preset("EdgeHML++", {"views": "weak"}),
    "EdgeHML++-mixed": Preset("EdgeHML++", {"views": "mixed"}),
    "EdgeHML++-replay8": Preset("EdgeHML++", {"replay": 1}),
    "EdgeHML++-replay24": Preset("EdgeHML++", {"replay": 3}),
    "EdgeHML++-random": Preset("EdgeHML++", {"balanced": False}),
    "EdgeHML++-plain": Preset("EdgeHML++", {"decay": 0.0}),
    "EdgeHML++-running": Preset("EdgeHML++", {"remeasure": False}),
    "EdgeHML++-decay0005": Preset("EdgeHML++", {}, {"weight_decay": 5e-4}),
    "EdgeHML++-unmirrored": Preset("EdgeHML++", {"mirror": False}),
    "EdgeHML++-consistency": Preset("EdgeHML++", {"consistency": 1.0}),
    "CCIC": Preset("CCIC", {}, {"optimizer": "adam", "learning_rate": 0.001, "weight_decay": 0.0}),
}
"""Variants by name. ``EdgeHML-straightforward`` is the port that the time of ``EdgeHML`` is compared with; those of
``EdgeHML++`` change one part each, for the ablation table."""


def split_method(text: str, methods: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """A method (or preset), and the terms that are joined to it by "+".

    Args:
        methods: names of methods that are known.

    Raises:
        SpecError: a name is not known.
    """
    known = sorted((*methods, *PRESETS), key=len, reverse=True)  # "DER++" before "DER"
    base = next((name for name in known if f"{text}+".startswith(f"{name}+")), None)
    if base is None:
        raise SpecError(f"unknown method {text!r}", where="method.name", hint=suggestion(text, known))
    terms = tuple(TERM_ALIASES.get(term, term) for term in text[len(base) :].split("+")[1:])
    for term in terms:
        if term not in TERM_NAMES:
            raise SpecError(f"unknown term {term!r} in {text!r}", where="method.name", hint=", ".join(TERM_NAMES))
    return base, tuple(dict.fromkeys(terms))


def suggestion(name: str, known: Collection[str]) -> str:
    """What may have been meant, or what there is."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
