"""Methods and terms by name: ``DER``, ``DER+UDA``, ``EdgeHML``, and presets such as ``EdgeHML-skip``.

A method of your own is a `BaseLearningMethod` with ``@ClassFactory.register(ClassType.ALGORITHM, alias="Name")``, in a
file that the commands are told with ``--module``. It is used by its name wherever the built-in ones are.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import isclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sedna.algorithms.continual.data.task import CLType
from sedna.algorithms.continual.methods.base import BaseLearningMethod, MethodOptions
from sedna.algorithms.continual.methods.ccic import CCIC
from sedna.algorithms.continual.methods.der import DER
from sedna.algorithms.continual.methods.derpp import DERPlusPlus
from sedna.algorithms.continual.methods.edgehml import EdgeHML
from sedna.algorithms.continual.methods.edgehml_plus import EdgeHMLPlus
from sedna.algorithms.continual.methods.er import ER
from sedna.algorithms.continual.methods.independent import Independent
from sedna.algorithms.continual.methods.joint import Joint
from sedna.algorithms.continual.methods.oewc import OnlineEWC
from sedna.algorithms.continual.methods.pnn import PNN
from sedna.algorithms.continual.methods.sft import SFT
from sedna.algorithms.continual.methods.si import SI
from sedna.algorithms.continual.methods.si_path_integral import SIPathIntegral
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.names import PRESETS, TERM_ALIASES, split_method
from sedna.algorithms.continual.terms.base import SemiTerm
from sedna.algorithms.continual.terms.fixmatch import FixMatch
from sedna.algorithms.continual.terms.flexmatch import FlexMatch
from sedna.algorithms.continual.terms.mixmatch import MixMatch
from sedna.algorithms.continual.terms.uda import UDA
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import SpecError
from sedna.common.validation import first_fault

METHODS: dict[str, type[BaseLearningMethod]] = {
    kind.ALG_NAME: kind
    for kind in (
        SFT, Independent, Joint, ER, DER, DERPlusPlus, SI, SIPathIntegral, OnlineEWC, PNN, CCIC, EdgeHML,
        EdgeHMLPlus,
    )
}  # fmt: skip
"""The built-in learning methods by name."""

TERMS: dict[str, type[SemiTerm]] = {kind.NAME: kind for kind in (UDA, FixMatch, FlexMatch, MixMatch)}
"""Every semi-supervised term by its name."""

T = TypeVar("T", bound=BaseModel)


def known_methods() -> dict[str, type[BaseLearningMethod]]:
    """The built-in methods and those that the user registered, by name."""
    found = {name: ClassFactory.get_cls(ClassType.ALGORITHM, name) for name in ClassFactory.names(ClassType.ALGORITHM)}
    return {name: kind for name, kind in found.items() if isclass(kind) and issubclass(kind, BaseLearningMethod)}


class MethodConfig(BaseModel):
    """The ``method`` section of a configuration.

    ``name`` is a method, a preset, or a method and terms joined by "+".
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "EdgeHML"
    options: dict[str, Any] = Field(default_factory=dict, description="options of the method")
    terms: dict[str, dict[str, Any]] = Field(default_factory=dict, description="options of each term, by its name")

    def parts(self) -> tuple[str, tuple[str, ...]]:
        """Method (or preset) and terms.

        Raises:
            SpecError: a name is not known.
        """
        base, terms = split_method(self.name, known_methods())
        for term in self.term_options:
            if term not in terms:
                carried = ", ".join(terms) or "none"
                raise SpecError(
                    f"{self.name} carries no term {term!r}",
                    where="method.terms",
                    hint=f"it carries {carried}; a term belongs to the name, as in {base}+UDA",
                )
        return base, terms

    @property
    def term_options(self) -> dict[str, dict[str, Any]]:
        """``terms`` by the full name of each."""
        return {TERM_ALIASES.get(name, name): options for name, options in self.terms.items()}

    @property
    def train_overrides(self) -> Mapping[str, Any]:
        """What the preset changes in the ``train`` section."""
        preset = PRESETS.get(self.parts()[0])
        return preset.train if preset else {}


def method_class(config: MethodConfig) -> type[BaseLearningMethod]:
    """The class behind a configuration."""
    base, _ = config.parts()
    return known_methods()[PRESETS[base].method if base in PRESETS else base]


def check_method(config: MethodConfig, cl_type: CLType) -> None:
    """Refuse what can be refused before any data is there.

    Raises:
        SpecError: unknown name or option, a value out of range, or a method that cannot learn this kind of tasks.
    """
    kind = method_class(config)
    if cl_type not in kind.ALG_COMPATIBILITY:
        raise SpecError(
            f"{kind.ALG_NAME} cannot learn {cl_type} tasks",
            where="data.cl_type",
            hint=f"one of {', '.join(kind.ALG_COMPATIBILITY)}",
        )
    _options(config)
    _terms(config)


def build_method(config: MethodConfig, bench: Workbench) -> BaseLearningMethod:
    """The method with its terms.

    Raises:
        SpecError: as `check_method`, or a memory that is too small.
    """
    check_method(config, bench.cl_type)
    method = method_class(config)(bench, _options(config))
    method.terms = _terms(config)
    return method


def _options(config: MethodConfig) -> MethodOptions:
    base, _ = config.parts()
    preset = PRESETS[base].options if base in PRESETS else {}
    return _validated(method_class(config).Options, {**preset, **config.options}, f"method.options of {base}")


def _terms(config: MethodConfig) -> list[SemiTerm]:
    _, terms = config.parts()
    return [
        TERMS[name](_validated(TERMS[name].Options, config.term_options.get(name, {}), f"method.terms.{name}"))
        for name in terms
    ]


def _validated(model: type[T], values: Mapping[str, Any], where: str) -> T:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        fault = first_fault(error)
        raise SpecError(
            f"{fault}, got {fault.given!r}",
            where=where,
            hint=f"options: {', '.join(model.model_fields)}",
        ) from error
