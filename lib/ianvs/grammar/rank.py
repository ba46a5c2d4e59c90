"""``rank:`` of a benchmarking job."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from ianvs.grammar.reading import did_you_mean
from ianvs.grammar.section import Section, context_of

ALL = ("all",)
PRINTED = "selected_only"
"""The one mode of visualization that prints a table, as upstream's."""


class SelectedItems(Section):
    """Which columns ``selected_rank.csv`` shows, and which paradigms; ``["all"]`` stands for all of them."""

    paradigms: tuple[str, ...] = Field(default=ALL, min_length=1, examples=['["all"]'])
    modules: tuple[str, ...] = Field(default=ALL, min_length=1, examples=['["all"]'])
    hyperparameters: tuple[str, ...] = Field(default=ALL, examples=["[basemodel-learning_rate]"])
    metrics: tuple[str, ...] = Field(default=ALL, min_length=1, examples=["[f1_score]"])

    @field_validator("paradigms", "modules", "hyperparameters", "metrics")
    @classmethod
    def _each_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(names))


class Visualization(Section):
    """What is printed when the job is over."""

    mode: str = PRINTED
    method: Literal["print_table"] = "print_table"

    @field_validator("mode")
    @classmethod
    def _printing(cls, mode: str, info: ValidationInfo) -> str:
        context = context_of(info)
        if mode != PRINTED and context is not None:
            context.findings.warn(
                f"{context.file}: rank.visualization.mode: with {mode!r} nothing is printed, only {PRINTED!r} prints"
                f"{did_you_mean(mode, (PRINTED,))}"
            )
        return mode


class RankConfig(Section):
    """How results are ordered, shown and stored."""

    sort_by: tuple[dict[str, str], ...] = Field(default=(), examples=["[{f1_score: descend}]"])
    visualization: Visualization = Field(default=Visualization(), examples=["{mode: selected_only}"])
    selected_dataitem: SelectedItems = Field(default=SelectedItems(), examples=["{metrics: [f1_score]}"])
    save_mode: Literal["selected_and_all", "selected_only", "selected_and_all_and_picture"] = "selected_and_all"

    @field_validator("sort_by")
    @classmethod
    def _one_metric_each(cls, entries: tuple[dict[str, str], ...], info: ValidationInfo) -> tuple[dict[str, str], ...]:
        for entry in entries:
            if len(entry) != 1:
                raise ValueError(f"{entry!r}: one metric an entry, such as {{f1_score: descend}}")
            metric, order = next(iter(entry.items()))
            context = context_of(info)
            if order not in ("ascend", "descend") and context is not None:
                context.findings.warn(
                    f"{context.file}: rank.sort_by: {metric}: {order!r} counts as descend (ascend | descend)"
                )
        return entries

    @property
    def order(self) -> tuple[tuple[str, bool], ...]:
        """(metric, ascending) in order of weight."""
        return tuple((name, order == "ascend") for entry in self.sort_by for name, order in entry.items())
