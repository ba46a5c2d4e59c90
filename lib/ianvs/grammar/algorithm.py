"""``algorithm:`` a paradigm, its modules and their hyper-parameters, expanded into combinations."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from ianvs.grammar.locate import CodePath, ExistingPath, find
from ianvs.grammar.reading import did_you_mean, read_yaml, shown
from ianvs.grammar.section import ReadContext, Section, context_of
from sedna.common.errors import SednaError

SINGLE_TASK, INCREMENTAL, LIFELONG = "singletasklearning", "incrementallearning", "lifelonglearning"
SUPPORTED_PARADIGMS = (SINGLE_TASK, INCREMENTAL, LIFELONG)
OTHER_PARADIGMS = (
    "multiedgeinference",
    "federatedlearning",
    "federatedclassincrementallearning",
    "jointinference",
    # In examples only: upstream's own enumeration lacks them.
    "singletasklearning_tta",
    "singletasklearning_acboost",
)
_ALIASES = {
    "singletasklearning_with_compression": SINGLE_TASK,
    "singletasklearningwithcompression": SINGLE_TASK,
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
    """How the stream is cut: ``train_ratio`` of a piece is for inference, the rest evaluates candidates."""

    train_ratio: float = Field(default=0.8, ge=0, le=1)
    splitting_method: Literal["default", "fwt_splitting", "city_splitting", "hard-example_splitting"] = "default"


class Package(Section):
    """A python file that is loaded before the modules."""

    name: str = ""
    url: ExistingPath


class Module(Section):
    """One part of an algorithm. ``hyperparameters`` maps each name to the values to try, in file order.

    Of the files that ``other_hyperparameters`` names one value is made: the mapping that they give together.
    """

    type: ModuleType
    name: str = Field(min_length=1)
    url: CodePath = ""
    hyperparameters: dict[str, tuple[Any, ...]] = Field(
        default_factory=dict, examples=["[{learning_rate: {values: [0.1, 0.01]}}]"]
    )

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        if value is None:
            return {}
        # A mapping would read as well, but upstream takes only the list, and a file must mean the same there.
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

    @field_validator("hyperparameters")
    @classmethod
    def _with_files_read(cls, values: dict[str, tuple[Any, ...]], info: ValidationInfo) -> dict[str, tuple[Any, ...]]:
        context = context_of(info)
        if context is None or OTHER_HYPERPARAMETERS not in values:
            return values
        merged: dict[str, Any] = {}
        for url in values[OTHER_HYPERPARAMETERS]:
            merged |= _mapping_in(url, context)
        return {**values, OTHER_HYPERPARAMETERS: (merged,)}

    def combinations(self) -> list[dict[str, Any]]:
        """The product of the values, in file order, the last one fastest; explicit values win over files."""
        # Upstream's order: it decides which test case is which, and so the rows of the rank.
        names = [name for name in self.hyperparameters if name != OTHER_HYPERPARAMETERS]
        products = itertools.product(*(self.hyperparameters[name] for name in names))
        (base,) = self.hyperparameters.get(OTHER_HYPERPARAMETERS, ({},))
        return [{**base, **dict(zip(names, values, strict=True))} for values in products]


def _mapping_in(url: Any, context: ReadContext) -> dict[str, Any]:
    """What a file of hyper-parameters holds.

    Raises:
        ValueError: it cannot be found or read, or holds no mapping.
    """
    path = find(url, OTHER_HYPERPARAMETERS, context) if isinstance(url, str) else None
    if path is None:
        raise ValueError(f"{OTHER_HYPERPARAMETERS}: {shown(url)}: no such file; its values are paths of yaml files")
    try:
        values = read_yaml(path, context.findings)
    except SednaError as error:
        raise ValueError(f"{OTHER_HYPERPARAMETERS}: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{OTHER_HYPERPARAMETERS}: {path} holds {shown(values)}, not a mapping {{name: value}}")
    return {str(key): value for key, value in values.items()}


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


class AlgorithmConfig(Section):
    """An algorithm under test."""

    decisive: ClassVar[tuple[str, ...]] = ("paradigm_type",)

    name: str = ""
    paradigm_type: str = Field(examples=[INCREMENTAL])
    modules: tuple[Module, ...] = Field(
        min_length=1, examples=["[{type: basemodel, name: MyModel, url: ./basemodel.py}]"]
    )
    initial_model_url: str = ""
    third_party_packages: tuple[Package, ...] = Field(default=(), examples=["[{name: tools, url: ./tools.py}]"])
    incremental_learning_data_setting: DataSetting = Field(default=DataSetting(), examples=["{train_ratio: 0.8}"])
    lifelong_learning_data_setting: DataSetting = Field(default=DataSetting(), examples=["{train_ratio: 0.8}"])
    fl_data_setting: dict[str, Any] = Field(default_factory=dict)
    mode: str = ""
    quantization_type: str = ""
    llama_quantize_path: str = ""

    @field_validator("paradigm_type")
    @classmethod
    def _known_paradigm(cls, value: str, info: ValidationInfo) -> str:
        paradigm = _ALIASES.get(value, value)
        context = context_of(info)
        if paradigm != value and context is not None:
            context.findings.note(f"{context.file}: paradigm_type {value!r} is run as {paradigm!r}")
        supported = ", ".join(SUPPORTED_PARADIGMS)
        if paradigm in OTHER_PARADIGMS:
            raise ValueError(f"a paradigm of Ianvs that is not supported here; supported: {supported}")
        if paradigm not in SUPPORTED_PARADIGMS:
            meant = did_you_mean(paradigm, (*SUPPORTED_PARADIGMS, *OTHER_PARADIGMS))
            raise ValueError(f"no such paradigm; supported: {supported}{meant}")
        return paradigm

    @field_validator("initial_model_url")
    @classmethod
    def _initial_model(cls, url: str, info: ValidationInfo) -> str:
        context = context_of(info)
        if not url or context is None:
            return url
        found = find(url, "initial_model_url", context)
        if found is None:  # the algorithm may fetch it, or make it
            context.findings.note(
                f"{context.file}: algorithm.initial_model_url = {url!r} does not exist; it is passed on as it is"
            )
        return found or url

    @field_validator("modules")
    @classmethod
    def _one_of_a_type(cls, modules: tuple[Module, ...], info: ValidationInfo) -> tuple[Module, ...]:
        different: list[Module] = []
        for module in modules:
            if module not in different:
                different.append(module)
        types = [module.type for module in different]
        for kind in types:
            if types.count(kind) > 1:
                names = ", ".join(module.name for module in different if module.type == kind)
                raise ValueError(f"{names}: several modules of type {kind}; an algorithm has one of a type")
        context = context_of(info)
        if len(different) < len(modules) and context is not None:
            context.findings.note(f"{context.file}: algorithm.modules: a module is listed twice, counts once")
        return tuple(different)

    def module(self, module_type: str) -> Module | None:
        """The module of a type, if the algorithm has one."""
        return next((module for module in self.modules if module.type == module_type), None)

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
