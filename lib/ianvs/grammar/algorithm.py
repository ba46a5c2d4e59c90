"""``algorithm:`` a paradigm, its modules and their hyper-parameters, expanded into combinations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ianvs.grammar.reading import Reading, Section, shown

SUPPORTED_PARADIGMS = ("singletasklearning", "incrementallearning", "lifelonglearning")
OTHER_PARADIGMS = (
    "multiedgeinference",
    "federatedlearning",
    "federatedclassincrementallearning",
    "jointinference",
)
_ALIASES = {
    "singletasklearning_with_compression": "singletasklearning",
    "singletasklearningwithcompression": "singletasklearning",
}

ModuleType = Literal[
    "basemodel",
    "edgemodel",
    "cloudmodel",
    "dataset_processor",
    "hard_example_mining",
    "task_definition",
    "task_relationship_discovery",
    "task_allocation",
    "task_remodeling",
    "inference_integrate",
    "task_update_decision",
    "unseen_task_allocation",
    "unseen_sample_recognition",
    "unseen_sample_re_recognition",
    "aggregation",
]
OTHER_HYPERPARAMETERS = "other_hyperparameters"


class DataSetting(Section):
    """How the stream is cut: ``train_ratio`` of a piece is inferred on, the rest of it judges candidates."""

    train_ratio: float = Field(default=0.8, ge=0, le=1)
    splitting_method: Literal["default", "fwt_splitting", "city_splitting", "hard-example_splitting"] = "default"


class Package(Section):
    """A python file that is loaded before the modules."""

    name: str = ""
    url: str


class Module(Section):
    """One part of an algorithm. ``hyperparameters`` maps each name to the values to try, in file order."""

    type: ModuleType
    name: str = Field(min_length=1)
    url: str = ""
    hyperparameters: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    base_hyperparameters: dict[str, Any] = Field(default_factory=dict, exclude=True)

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, list | tuple):
            raise ValueError("a list with one entry a hyper-parameter: [{learning_rate: {values: [0.1]}}]")
        values: dict[str, tuple[Any, ...]] = {}
        for entry in value:
            if not isinstance(entry, Mapping) or len(entry) != 1:
                raise ValueError(f"{shown(entry)} is not one hyper-parameter, such as {{momentum: {{values: [0.9]}}}}")
            name, body = next(iter(entry.items()))
            if not isinstance(body, Mapping) or not isinstance(body.get("values"), list):
                raise ValueError(f"{name}: {shown(body)} has no list of values, such as {{values: [0.9, 0.5]}}")
            if not body["values"]:
                raise ValueError(f"{name}: the list of values is empty")
            values[str(name)] = tuple(body["values"])
        return values

    def combinations(self) -> list[dict[str, Any]]:
        """The product of the values, in file order, the last one fastest; explicit values win over files."""
        names = [name for name in self.hyperparameters if name != OTHER_HYPERPARAMETERS]
        products = itertools.product(*(self.hyperparameters[name] for name in names))
        return [{**self.base_hyperparameters, **dict(zip(names, values, strict=True))} for values in products]


class ModuleChoice(Section):
    """A module with one value for each hyper-parameter."""

    type: ModuleType
    name: str
    url: str
    hyperparameters: dict[str, Any]


class Combination(Section):
    """What a test case runs: one choice of every module, in file order."""

    modules: tuple[ModuleChoice, ...]

    def get(self, module_type: str) -> ModuleChoice | None:
        """The module of a type, if the algorithm has one."""
        return next((module for module in self.modules if module.type == module_type), None)


class Algorithm(Section):
    """An algorithm under test."""

    name: str = ""
    paradigm_type: str
    modules: tuple[Module, ...] = Field(min_length=1)
    initial_model_url: str = ""
    third_party_packages: tuple[Package, ...] = ()
    incremental_learning_data_setting: DataSetting = DataSetting()
    lifelong_learning_data_setting: DataSetting = DataSetting()
    fl_data_setting: dict[str, Any] = Field(default_factory=dict)
    mode: str = ""
    quantization_type: str = ""
    llama_quantize_path: str = ""

    @field_validator("paradigm_type")
    @classmethod
    def _known_paradigm(cls, value: str, info: ValidationInfo) -> str:
        paradigm = _ALIASES.get(value, value)
        if paradigm != value and isinstance(info.context, Reading):
            info.context.notes.add(f"{info.context.file}: paradigm_type {value!r} is run as {paradigm!r}")
        supported = ", ".join(SUPPORTED_PARADIGMS)
        if paradigm in OTHER_PARADIGMS:
            raise ValueError(f"this paradigm of Ianvs is not supported here; supported: {supported}")
        if paradigm not in SUPPORTED_PARADIGMS:
            raise ValueError(f"no such paradigm; supported: {supported}")
        return paradigm

    @field_validator("modules")
    @classmethod
    def _one_of_a_type(cls, modules: tuple[Module, ...]) -> tuple[Module, ...]:
        types = [module.type for module in modules]
        for kind in types:
            if types.count(kind) > 1:
                names = ", ".join(module.name for module in modules if module.type == kind)
                raise ValueError(f"{names}: several modules of type {kind}; an algorithm has one of a type")
        return modules

    def combinations(self) -> list[Combination]:
        """Every combination of hyper-parameters, modules in file order, the last one fastest."""
        choices = [
            [
                ModuleChoice(type=module.type, name=module.name, url=module.url, hyperparameters=values)
                for values in module.combinations()
            ]
            for module in self.modules
        ]
        return [Combination(modules=modules) for modules in itertools.product(*choices)]
