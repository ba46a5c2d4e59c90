"""The job description: upstream's ``sedna.io/v1alpha1`` kinds, with optional additions of our own.

Every upstream IncrementalLearningJob, Dataset and Model validates unchanged. Additions are marked "ours".
Pod templates are kept as they are: a runtime reads what it needs, and Kubernetes validates the rest.
"""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, field_validator, model_validator
from pydantic.alias_generators import to_camel

from sedna.common.label_format import LabelFormat
from sedna.common.types import JobKey, Name
from sedna.loop.conditions import Condition, parse_metric
from sedna.loop.edge_spec import Edges
from sedna.loop.labels_spec import Labels
from sedna.loop.spec_model import SpecModel, Text
from sedna.loop.timers import CronTrigger, Timer

API_VERSION: Final = "sedna.io/v1alpha1"

TRAIN_METRICS = ("num_of_samples", "audit_precision", "audit_recall", "audit_f1")
"""What a train trigger can look at. ``num_of_samples`` is upstream's: new labelled samples of the training share."""


class Reference(SpecModel):
    """The name of another object in the job's namespace."""

    name: Name = Field(description="Name of the object.")


class DatasetUse(SpecModel):
    """Which dataset feeds the job, and the share of its labelled samples that goes to training."""

    name: Name = Field(description="Name of a Dataset in the job's namespace.")
    train_prob: float = Field(
        gt=0,
        lt=1,
        description="Share of the labelled samples that trains, between 0 and 1; the rest judges candidates.",
    )


class PrecisionTrigger(SpecModel):
    """Ours: fires when the model in service got worse on randomly audited traffic that has since been labelled."""

    below: float = Field(gt=0, le=1, description="Fires when the metric is below this, in (0, 1].")
    min_samples: int = Field(default=20, ge=1, description="Fewer labelled audit samples than this say nothing.")
    metric: Literal["audit_precision", "audit_recall", "audit_f1"] = Field(
        default="audit_precision", description="What is measured on the audit samples."
    )


class Trigger(SpecModel):
    """When to act. Everything given must hold (upstream's rule); ``any`` holds if one of its members does."""

    check_period_seconds: int = Field(default=60, ge=1, description="Seconds between two evaluations.")
    timer: Timer | None = None
    condition: Condition | None = None
    cron: CronTrigger | None = None
    precision: PrecisionTrigger | None = None
    all: tuple[Trigger, ...] = Field(default=(), description="Ours: triggers that must all hold.")
    any: tuple[Trigger, ...] = Field(default=(), description="Ours: triggers of which one must hold.")
    cooldown_seconds: float = Field(
        default=0, ge=0, description="Ours: quiet time after the end of a round, in seconds."
    )
    max_wait_seconds: float | None = Field(
        default=None, gt=0, description="Ours: fires when the oldest unused sample has waited so many seconds."
    )


def _require_train_metrics(trigger: Trigger) -> None:
    if trigger.condition is not None:
        name, _ = parse_metric(trigger.condition.metric)
        if name not in TRAIN_METRICS:
            known = ", ".join(TRAIN_METRICS)
            raise ValueError(f"condition.metric {name!r} is not known to a train trigger; one of: {known}")
    for child in (*trigger.all, *trigger.any):
        _require_train_metrics(child)


class Algorithm(SpecModel):
    """Ours: an algorithm registered in ``ClassFactory``, instead of a pod template."""

    name: Text = Field(description="Alias in ClassFactory, type general, such as FPN.")
    module: str | None = Field(default=None, description="A Python file that registers it, if it is not built in.")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="Keyword arguments of the class; it refuses those that it does not know."
    )


class Limits(SpecModel):
    """Ours: what a worker may use, and how often it is tried."""

    timeout_seconds: float = Field(default=6 * 3600, gt=0, description="An attempt is ended after so many seconds.")
    memory_mib: int | None = Field(default=None, ge=64, description="Memory in MiB; none = no limit.")
    disk_mib: int | None = Field(
        default=None,
        ge=64,
        description="On Kubernetes: MiB for inputs, model and checkpoints; more ends the worker; none = no limit.",
    )
    threads: int | None = Field(default=None, ge=1, description="Threads for computing; none = those of the machine.")
    retries: int = Field(
        default=2, ge=0, description="Further attempts after a temporary failure; one lost with its machine costs none."
    )
    retry_seconds: float = Field(
        default=10, ge=0, description="Seconds before the first further attempt; they double each time."
    )


class Distributed(SpecModel):
    """Ours: several processes train one model. Each has RANK, WORLD_SIZE, LOCAL_RANK and MASTER_ADDR of torchrun."""

    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="machines (Pods); on one machine that many times processesPerWorker run there",
    )
    processes_per_worker: int = Field(
        default=1, ge=1, le=64, description="processes of each worker, which share its CPU threads and memory"
    )

    @property
    def processes(self) -> int:
        """All of them."""
        return self.workers * self.processes_per_worker


class _WorkerSpec(SpecModel):
    template: dict[str, JsonValue] | None = Field(
        default=None, description="The worker's Pod, a core/v1 PodTemplateSpec; the first container is the worker."
    )
    algorithm: Algorithm | None = None
    limits: Limits = Limits()

    @field_validator("template")
    @classmethod
    def _has_containers(cls, template: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        if template is None:
            return None
        pod = template.get("spec")
        containers = pod.get("containers") if isinstance(pod, dict) else None
        if not isinstance(containers, list) or not containers:
            raise ValueError("template.spec.containers must list at least one container")
        return template


class TrainSpec(_WorkerSpec):
    """How a candidate is made: ``template`` (upstream) or ``algorithm`` (ours), and when."""

    trigger: Trigger = Trigger()
    distributed: Distributed | None = Field(
        default=None, description="ours: train with several processes, started by torchrun; they need PyTorch"
    )
    unlabelled_samples: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Ours: so many samples without a label, the newest, go to training as well, for an algorithm that "
        "learns from them; each is fetched and kept on the service's disk.",
    )
    labels: Labels = Labels()

    @model_validator(mode="after")
    def _checks(self) -> Self:
        if (self.template is None) == (self.algorithm is None):
            raise ValueError("give exactly one of template (a pod) and algorithm (a registered class)")
        _require_train_metrics(self.trigger)
        return self


class EvalSpec(_WorkerSpec):
    """How a candidate is judged. Without a template the training algorithm evaluates."""

    initial_eval_model: Reference | None = Field(
        default=None, description="The Model that the first candidate is compared with; none = the initial model."
    )


class DeployModel(SpecModel):
    """The model in service: where upstream-style workers expect it."""

    name: Name = Field(description="Name of a Model in the job's namespace; its url is where the workers expect it.")
    hot_update_enabled: bool = Field(
        default=False, description="Whether a running inference worker is handed a new model, instead of a new worker."
    )
    poll_period_seconds: int = Field(
        default=60, ge=1, description="Seconds between two looks of an inference worker for a new model."
    )


class Parameter(SpecModel):
    """A miner parameter; upstream's are strings, ours may be any scalar."""

    key: Text = Field(description="Name of the parameter.")
    value: str | bool | int | float = Field(description="Its value: a string, or a number or boolean.")


class HardExampleMining(SpecModel):
    """Which registered miner decides what is hard."""

    name: Text = Field(description="Alias of the miner, such as IBT, Random or CrossEntropy.")
    parameters: tuple[Parameter, ...] = Field(default=(), description="Its parameters, such as threshold_img.")

    def as_dict(self) -> dict[str, str | bool | int | float]:
        """The parameters as keyword arguments of the miner."""
        return {parameter.key: parameter.value for parameter in self.parameters}


class Audit(SpecModel):
    """Ours: a random share of ordinary traffic that is kept as well: the only unbiased look at the model in service."""

    ratio: float = Field(default=0.02, ge=0, le=1, description="Share of the traffic that is kept, 0 to 1.")
    seed: int = Field(default=0, description="Seed of the choice.")


class Gate(SpecModel):
    """Ours: what "better" means. Checked beside upstream's ``deploySpec.trigger.condition``; all must hold."""

    metric: Literal["f1", "f1_macro", "precision", "recall", "accuracy", "value"] = Field(
        default="f1", description="What candidate and champion are compared by."
    )
    confidence: float | None = Field(
        default=None,
        gt=0.5,
        lt=1,
        description="Two-sided level of the paired bootstrap interval, such as 0.95; none = no interval.",
    )
    min_improvement: float = Field(default=0.0, description="Candidate minus champion, or its interval, must be above.")
    min_samples: int = Field(default=1, ge=1, description="Fewer judged samples are not enough evidence.")
    max_regression: float | None = Field(
        default=None, ge=0, description="Largest allowed loss of the metric on the frozen hold-out."
    )
    class_floor: float | dict[str, float] | None = Field(
        default=None, description="Lowest allowed F1 of every class (a number), or by class name (an object)."
    )
    resamples: int = Field(default=2000, ge=100, le=100_000, description="Resamples of the bootstrap.")
    seed: int = Field(default=0, description="Seed of the bootstrap.")


class Rollout(SpecModel):
    """Ours: how long edges may take to accept a model."""

    timeout_seconds: float = Field(default=600, gt=0, description="Seconds that an edge may take to accept a model.")


class DeploySpec(SpecModel):
    """Where and when a better model goes into service."""

    model: DeployModel
    trigger: Trigger = Trigger()
    hard_example_mining: HardExampleMining
    template: dict[str, JsonValue] | None = Field(
        default=None,
        description="The inference worker's Pod, a core/v1 PodTemplateSpec; it always runs on Kubernetes, as upstream.",
    )
    edges: Edges | None = Field(
        default=None,
        description="Ours: how edges run on Kubernetes; without it and without a template none is started there.",
    )
    gate: Gate = Gate()
    audit: Audit = Audit()
    rollout: Rollout = Rollout()

    @model_validator(mode="after")
    def _template_says_itself(self) -> Self:
        edges = self.edges
        if edges is None:
            return self
        beside = edges.only_of_our_server()
        if self.template is not None and beside:
            raise ValueError(
                f"deploySpec.edges.{to_camel(beside[0])} is of our edge server; the template says it itself"
            )
        if self.template is None and edges.hard_examples is not None:
            raise ValueError("deploySpec.edges.hardExamples is of a template; our edge server hands in by itself")
        return self

    @field_validator("trigger")
    @classmethod
    def _only_what_a_deployment_can_wait_for(cls, trigger: Trigger) -> Trigger:
        other = sorted(trigger.model_fields_set - {"check_period_seconds", "timer", "condition"})
        if other:
            names = ", ".join(to_camel(name) for name in other)
            raise ValueError(f"deploySpec.trigger takes condition and timer, not {names}: they decide about training")
        return trigger


class Pictures(SpecModel):
    """Ours: how the pictures of the job are read; see the README."""

    bits_per_sample: int | None = Field(
        default=None,
        ge=8,
        le=32,
        description="Used bits of a grey sample where the files have more, such as 12 in 16; none = as each file says.",
    )


class JobSpec(SpecModel):
    """``spec`` of an IncrementalLearningJob."""

    dataset: DatasetUse
    initial_model: Reference
    train_spec: TrainSpec
    eval_spec: EvalSpec = EvalSpec()
    deploy_spec: DeploySpec
    credential_name: str | None = Field(
        default=None, description="A Secret in the job's namespace with the S3 credentials of outputDir."
    )
    output_dir: str = Field(
        default="", description="Upstream's result folder; accepted, results are in the service's store."
    )
    class_names: tuple[Text, ...] = Field(
        default=(), description="Ours: names of the classes; label i is the i-th, from 0."
    )
    pictures: Pictures = Pictures()
    suspend: bool = Field(
        default=False,
        description="Ours: no round begins; what is under way goes on; a deployment may be asked for.",
    )

    @model_validator(mode="after")
    def _evaluator(self) -> Self:
        if self.train_spec.algorithm is None and self.eval_spec.template is None and self.eval_spec.algorithm is None:
            raise ValueError("evalSpec.template is required when trainSpec has a template")
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("classNames lists a name twice")
        return self

    @property
    def evaluation_algorithm(self) -> Algorithm | None:
        """The algorithm that evaluates, or None when a template does."""
        if self.eval_spec.template is not None:
            return None
        return self.eval_spec.algorithm or self.train_spec.algorithm


class Metadata(SpecModel):
    """The part of ObjectMeta that is used here; the rest is carried along."""

    model_config = ConfigDict(extra="allow")

    name: Name
    namespace: Name = "default"
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Object(SpecModel):
    api_version: Literal["sedna.io/v1alpha1"] = API_VERSION
    metadata: Metadata
    status: Any = Field(default=None, exclude=True, description="read and ignored: the service owns it")

    @property
    def key(self) -> JobKey:
        """Namespace and name."""
        return JobKey(namespace=self.metadata.namespace, name=self.metadata.name)


class IncrementalLearningJob(_Object):
    """A job: one model kept up to date from one stream of samples."""

    kind: Literal["IncrementalLearningJob"] = "IncrementalLearningJob"
    spec: JobSpec

    @field_validator("spec")
    @classmethod
    def _floors_of_known_classes(cls, spec: JobSpec) -> JobSpec:
        """Here and not in `JobSpec`: what is stored is read again and again, and has to stay readable."""
        floor = spec.deploy_spec.gate.class_floor
        names = spec.class_names
        for key in floor if isinstance(floor, dict) else ():
            if names and key not in names:
                known = ", ".join(names)
                raise ValueError(f"deploySpec.gate.classFloor names {key!r}, which is none of classNames: {known}")
            if not names and not (key.isdecimal() and key == str(int(key))):
                rule = "without classNames a class is its number: 0, 1, ..."
                raise ValueError(f"deploySpec.gate.classFloor names {key!r}; {rule}")
        return spec


class DatasetSpec(SpecModel):
    """``spec`` of a Dataset. ``holdoutUrl`` is ours: an index nobody trains on.

    ``format`` stays as it was written; upstream's are txt, csv, json (COCO's) and jsonl.
    """

    url: str = Field(description="Where the label file or folder is: a path, or s3://bucket/key.")
    format: Literal[
        "txt", "csv", "json", "jsonl", "coco", "voc", "yolo", "cvat", "labelstudio",
        "TXT", "CSV", "JSON", "JSONL", "COCO", "VOC", "YOLO", "CVAT", "LABELSTUDIO",
    ] = Field(
        description="Format of the labels: txt, csv, json, jsonl, coco, voc, yolo, cvat or labelstudio."
    )  # fmt: skip
    node_name: str = Field(default="", description="Upstream's: the node that has the files.")
    credential_name: str | None = Field(
        default=None, description="A Secret in the Dataset's namespace with the S3 credentials of url."
    )
    holdout_url: str | None = Field(default=None, description="Ours: labels of samples that nobody trains on.")

    @property
    def label_format(self) -> LabelFormat:
        """The format as the readers know it."""
        return LabelFormat(self.format.lower())


class Dataset(_Object):
    """A described set of samples."""

    kind: Literal["Dataset"] = "Dataset"
    spec: DatasetSpec


class ModelSpec(SpecModel):
    """``spec`` of a Model; ``device_soc_versions`` is snake_case upstream too."""

    url: Text = Field(description="Where the model file or folder is: a path, or s3://bucket/key.")
    format: Text = Field(description="Format of the model, such as onnx, safetensors, pb or ckpt.")
    device_soc_versions: tuple[str, ...] = Field(
        default=(),
        validation_alias="device_soc_versions",
        serialization_alias="device_soc_versions",
        description="Upstream's: the chips that it is made for.",
    )
    credential_name: str | None = Field(
        default=None, description="A Secret in the Model's namespace with the S3 credentials of url."
    )


class Model(_Object):
    """A described model file or folder."""

    kind: Literal["Model"] = "Model"
    spec: ModelSpec


Resource = IncrementalLearningJob | Dataset | Model
KINDS: dict[str, type[IncrementalLearningJob | Dataset | Model]] = {
    "IncrementalLearningJob": IncrementalLearningJob,
    "Dataset": Dataset,
    "Model": Model,
}
