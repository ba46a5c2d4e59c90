"""``testenv:`` with data, metrics and the comparison of models, and our optional keys for the loop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from ianvs.grammar.locate import CodePath, located
from ianvs.grammar.section import Section, context_of

if TYPE_CHECKING:
    from sedna.loop.spec import Audit, Gate, Trigger

FORMATS = ("csv", "txt", "json", "jsonl")
METADATA = "metadata.json"


class MetricConfig(Section):
    """A metric: a function registered under ``name`` by the file ``url``, or a system metric without one."""

    name: str = ""
    url: CodePath = ""
    mode: str | None = None


class ModelEval(Section):
    """When a candidate replaces the model in service: ``candidate - current <operator> threshold``."""

    model_metric: MetricConfig = Field(
        default=MetricConfig(), examples=["{name: f1_score, url: ./testenv/f1_score.py}"]
    )
    threshold: float = 0.9
    operator: Literal[">", "<", "=", ">=", "<="] = ">"


class DatasetConfig(Section):
    """Where the data is; old (``*_url``) and new (``*_index``, ``*_data``, ``*_data_info``) keys. Others are kept."""

    model_config = ConfigDict(frozen=True, extra="allow")

    train_url: str = ""
    test_url: str = ""
    train_index: str = ""
    test_index: str = ""
    train_data: str = ""
    test_data: str = ""
    train_data_info: str = ""
    test_data_info: str = ""
    label: str = ""
    holdout_index: str = Field(default="", description="ours: frozen samples for the gate's maxRegression")
    label_tokens: Literal["second", "rest"] = Field(
        default="second", description="ours: what of a txt line is the label; rest keeps `x1,y1,x2,y2,label ...`"
    )

    @field_validator(
        "train_url", "test_url", "train_index", "test_index", "train_data", "test_data", "train_data_info",
        "test_data_info", "holdout_index",
    )  # fmt: skip
    @classmethod
    def _data_file(cls, url: str, info: ValidationInfo) -> str:
        if not url or context_of(info) is None:
            return url
        if Path(url).suffix[1:] not in FORMATS:
            raise ValueError(f"unknown format; one of: {', '.join(FORMATS)}")
        if str(info.field_name).endswith("data_info") and Path(url).name != METADATA:
            raise ValueError(f"must be a file called {METADATA}")
        return located(url, info)

    @property
    def train(self) -> str:
        """The file to train from; an index goes before data, data before metadata, the old key comes last."""
        return self.train_index or self.train_data or self.train_data_info or self.train_url

    @property
    def test(self) -> str:
        """The file to test on; same order."""
        return self.test_index or self.test_data or self.test_data_info or self.test_url


class Replay(Section):
    """Ours: earlier hard examples that every training sees again."""

    samples: int | Literal["all"] = "all"
    seed: int = 0

    @field_validator("samples")
    @classmethod
    def _not_negative(cls, samples: int | str) -> int | str:
        if isinstance(samples, int) and samples < 0:
            raise ValueError("0 or more, or all")
        return samples


class Stream(Section):
    """Ours: the times at which a recorded stream is played, for triggers that look at a clock."""

    start: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seconds_per_round: float = Field(default=3600, gt=0)

    @field_validator("start")
    @classmethod
    def _aware(cls, start: datetime) -> datetime:
        # Triggers compare it with times that have a zone, which Python refuses for times without one.
        return start if start.tzinfo else start.replace(tzinfo=UTC)


class TaskSet(Section):
    """Ours, for lifelong learning: a configuration of ``sedna.algorithms.continual``."""

    config: str = Field(description="a yaml file, or the name of a shipped configuration")
    options: tuple[str, ...] = Field(
        default=(), examples=["[train.iterations=100]"], description="section.key=value texts that win over the file"
    )

    @field_validator("config")
    @classmethod
    def _file_or_name(cls, config: str, info: ValidationInfo) -> str:
        return located(config, info) if config.endswith((".yaml", ".yml")) else config


class EnergyConfig(Section):
    """Ours: what one busy core draws, when the machine has no energy counters."""

    core_watts: float | None = Field(default=None, gt=0)


class TestEnv(Section):
    """The environment of all test cases. Unknown keys are kept, as upstream keeps them."""

    __test__ = False  # not a test class

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)

    dataset: DatasetConfig = Field(
        default=DatasetConfig(), examples=["{train_index: ./train_data/index.txt, test_index: ./test_data/index.txt}"]
    )
    metrics: tuple[MetricConfig, ...] = Field(
        min_length=1, examples=["[{name: f1_score, url: ./testenv/f1_score.py}, {name: samples_transfer_ratio}]"]
    )
    model_eval: ModelEval = Field(
        default=ModelEval(), examples=["{model_metric: {name: f1_score, url: ./f1_score.py}, threshold: 0.01}"]
    )
    incremental_rounds: int = Field(default=2, ge=2)
    round: int = 1
    client_number: int = 1
    use_gpu: bool = False

    trigger: dict[str, Any] | None = Field(
        default=None,
        examples=["{condition: {operator: '>', threshold: 50, metric: num_of_samples}}"],
        description="ours: trainSpec.trigger of a production job",
    )
    gate: dict[str, Any] | None = Field(
        default=None, examples=["{metric: f1, minSamples: 10}"], description="ours: deploySpec.gate of a production job"
    )
    deploy_trigger: dict[str, Any] | None = Field(
        default=None, description="ours: deploySpec.trigger of a production job; in place of model_eval's comparison"
    )
    audit: dict[str, Any] | None = Field(
        default=None, examples=["{ratio: 0.05}"], description="ours: deploySpec.audit of a production job"
    )
    class_names: tuple[str, ...] = Field(
        default=(), examples=["[open, short]"], description="ours: label i is class_names[i]"
    )
    replay: Replay | None = Field(default=None, examples=["{samples: all}"])
    edges: int = Field(default=1, ge=1, le=1000, description="ours: the stream is dealt to this many edges in turn")
    stream: Stream = Field(default=Stream(), examples=["{seconds_per_round: 3600}"])
    energy: EnergyConfig = Field(default=EnergyConfig(), examples=["{core_watts: 10}"])
    tasks: TaskSet | None = Field(default=None, examples=["{config: ./tasks.yaml}"])

    @field_validator("metrics")
    @classmethod
    def _named_once(cls, metrics: tuple[MetricConfig, ...], info: ValidationInfo) -> tuple[MetricConfig, ...]:
        if not all(metric.name for metric in metrics):
            raise ValueError("every metric needs a name")
        different = tuple(dict.fromkeys(metrics))
        names = [metric.name for metric in different]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))}: listed twice, with different urls or modes")
        context = context_of(info)
        for metric in different:
            if metrics.count(metric) > 1 and context is not None:
                context.findings.note(f"{context.file}: testenv.metrics: {metric.name!r} is listed twice, counts once")
        return different

    @field_validator("trigger", "deploy_trigger", "gate", "audit")
    @classmethod
    def _as_in_production(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        if value is not None:
            _LOOP_KEYS[str(info.field_name)](value)
        return value

    @property
    def judged_by_gate(self) -> bool:
        """Whether production's statistics decide, not ``model_eval`` alone."""
        return self.gate is not None or self.deploy_trigger is not None

    def loop_trigger(self) -> Trigger | None:
        """``trigger`` as production's model."""
        return None if self.trigger is None else _train_trigger(self.trigger)

    def loop_deploy_trigger(self) -> Trigger | None:
        """``deploy_trigger`` as production's model."""
        return None if self.deploy_trigger is None else _deploy_trigger(self.deploy_trigger)

    def loop_gate(self) -> Gate | None:
        """``gate`` as production's model."""
        return None if self.gate is None else _gate(self.gate)

    def loop_audit(self) -> Audit | None:
        """``audit`` as production's model."""
        return None if self.audit is None else _audit(self.audit)


# Production's models are imported only when their keys are used: they would double the start-up time. What they raise
# is a ValidationError, which pydantic takes over into that of the section, key by key.


def _train_trigger(value: dict[str, Any]) -> Trigger:
    from sedna.loop.spec import Algorithm, TrainSpec, Trigger

    trigger = Trigger.model_validate(value)
    # which metrics a train trigger knows is checked by the section that holds it
    return TrainSpec(algorithm=Algorithm(name="any"), trigger=trigger).trigger


def _deploy_trigger(value: dict[str, Any]) -> Trigger:
    from sedna.loop.spec import Trigger

    return Trigger.model_validate(value)


def _gate(value: dict[str, Any]) -> Gate:
    from sedna.loop.spec import Gate

    return Gate.model_validate(value)


def _audit(value: dict[str, Any]) -> Audit:
    from sedna.loop.spec import Audit

    return Audit.model_validate(value)


_LOOP_KEYS: dict[str, Callable[[dict[str, Any]], object]] = {
    "trigger": _train_trigger,
    "deploy_trigger": _deploy_trigger,
    "gate": _gate,
    "audit": _audit,
}
