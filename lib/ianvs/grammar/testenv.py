"""``testenv:`` data, metrics and the way of judging, with our optional keys for the loop."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from ianvs.grammar.reading import Section

if TYPE_CHECKING:
    from sedna.loop.spec import Audit, Gate, Trigger

OPERATORS = (">", "<", "=", ">=", "<=")
FORMATS = ("csv", "txt", "json", "jsonl")
METADATA = "metadata.json"


class MetricConfig(Section):
    """A metric: a function registered under ``name`` by the file ``url``, or a system metric without one."""

    name: str = ""
    url: str = ""
    mode: str | None = None


class ModelEval(Section):
    """When a candidate replaces the model in service: ``candidate - current <operator> threshold``."""

    model_metric: MetricConfig = MetricConfig()
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
        return start if start.tzinfo else start.replace(tzinfo=UTC)


class TaskSet(Section):
    """Ours, for lifelong learning: a configuration of ``sedna.algorithms.continual``."""

    config: str = Field(description="a yaml file, or the name of a shipped configuration")
    options: tuple[str, ...] = Field(default=(), description="section.key=value texts that win over the file")


class Energy(Section):
    """Ours: what one busy core draws, when the machine has no energy counters."""

    core_watts: float | None = Field(default=None, gt=0)


class TestEnv(Section):
    """The environment of all test cases. Unknown keys are kept, as upstream keeps them."""

    __test__ = False  # not a test class

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)

    dataset: DatasetConfig = DatasetConfig()
    metrics: tuple[MetricConfig, ...] = Field(min_length=1)
    model_eval: ModelEval = ModelEval()
    incremental_rounds: int = Field(default=2, ge=2)
    round: int = 1
    client_number: int = 1
    use_gpu: bool = False

    trigger: dict[str, Any] | None = Field(default=None, description="ours: trainSpec.trigger of a production job")
    gate: dict[str, Any] | None = Field(default=None, description="ours: deploySpec.gate of a production job")
    deploy_trigger: dict[str, Any] | None = Field(
        default=None, description="ours: deploySpec.trigger of a production job; in place of model_eval's comparison"
    )
    audit: dict[str, Any] | None = Field(default=None, description="ours: deploySpec.audit of a production job")
    class_names: tuple[str, ...] = Field(default=(), description="ours: label i is class_names[i]")
    replay: Replay | None = None
    edges: int = Field(default=1, ge=1, le=1000, description="ours: the stream is dealt to this many edges in turn")
    stream: Stream = Stream()
    energy: Energy = Energy()
    tasks: TaskSet | None = None

    @field_validator("metrics")
    @classmethod
    def _named_once(cls, metrics: tuple[MetricConfig, ...]) -> tuple[MetricConfig, ...]:
        names = [metric.name for metric in metrics]
        if not all(names):
            raise ValueError("every metric needs a name")
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))}: listed twice")
        return metrics

    @model_validator(mode="after")
    def _loop_keys(self) -> Self:
        readers = (
            ("trigger", self.loop_trigger),
            ("deploy_trigger", self.loop_deploy_trigger),
            ("gate", self.loop_gate),
            ("audit", self.loop_audit),
        )
        for key, read in readers:
            try:
                read()
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join([key, *map(str, first["loc"])])
                raise ValueError(f"{place} = {first['input']!r}: {first['msg']}") from error
        return self

    # Production's models are imported only when their keys are used: they would double the start-up time.

    def loop_trigger(self) -> Trigger | None:
        """``trigger`` as production's model."""
        if self.trigger is None:
            return None
        from sedna.loop.spec import Algorithm, TrainSpec, Trigger

        trigger = Trigger.model_validate(self.trigger)
        # which metrics a train trigger knows is checked by the section that holds it
        return TrainSpec(algorithm=Algorithm(name="any"), trigger=trigger).trigger

    def loop_deploy_trigger(self) -> Trigger | None:
        """``deploy_trigger`` as production's model."""
        if self.deploy_trigger is None:
            return None
        from sedna.loop.spec import Trigger

        return Trigger.model_validate(self.deploy_trigger)

    @property
    def judged_by_gate(self) -> bool:
        """Whether production's statistics decide, not ``model_eval`` alone."""
        return self.gate is not None or self.deploy_trigger is not None

    def loop_gate(self) -> Gate | None:
        """``gate`` as production's model."""
        if self.gate is None:
            return None
        from sedna.loop.spec import Gate

        return Gate.model_validate(self.gate)

    def loop_audit(self) -> Audit | None:
        """``audit`` as production's model."""
        if self.audit is None:
            return None
        from sedna.loop.spec import Audit

        return Audit.model_validate(self.audit)
