"""Where things lie in a store: the key of every object of a job, relative to the root of the store.

    {namespace}/{job}/samples/{sample_id}.{ext}          the bytes of a sample
    {namespace}/{job}/samples/{sample_id}.json           its record
    {namespace}/{job}/datasets/{n}/manifest.jsonl        dataset version n
    {namespace}/{job}/inputs/{sha256}/{name}             a file that a description names: a model, a module
    {namespace}/{job}/rounds/{r}/{kind}-{attempt}/...    order, output, result and log of one attempt of round r
    {namespace}/{job}/rounds/{r}/logs/...                what its workers wrote
    {namespace}/{job}/rounds/{r}/checkpoints-{v}/...     checkpoints of round r's trainings from model v
    {namespace}/{job}/models/{v}/files/{sha256}/{name}   a file of model version v
    {namespace}/{job}/models/{v}/module/{sha256}/{name}  the Python file that opens model version v
    {namespace}/{job}/models/{v}/manifest.json           model version v; written last, so what it lists is there

Keys with a content's sha256 in them are written once; the two manifests are written if absent. So nothing is ever
overwritten, and a crashed attempt cannot stand in the way of the next one.
"""

from __future__ import annotations

from sedna.common.errors import SpecError
from sedna.common.types import JobKey

__all__ = [
    "attempt_prefix",
    "checkpoints_prefix",
    "dataset_manifest_key",
    "datasets_prefix",
    "input_key",
    "job_prefix",
    "model_file_key",
    "model_manifest_key",
    "model_module_key",
    "model_prefix",
    "models_prefix",
    "round_prefix",
    "sample_key",
    "sample_record_key",
    "samples_prefix",
]


def job_prefix(job: JobKey) -> str:
    """Prefix of everything of a job; ends in "/" like every prefix here."""
    return f"{job.namespace}/{job.name}/"


def samples_prefix(job: JobKey) -> str:
    """Prefix of a job's samples and their records: one folder without subfolders."""
    return f"{job_prefix(job)}samples/"


def sample_key(job: JobKey, sample_id: str, extension: str) -> str:
    """Key of a sample's bytes; ``extension`` without the dot."""
    return f"{samples_prefix(job)}{sample_id}.{extension}"


def sample_record_key(job: JobKey, sample_id: str) -> str:
    """Key of a sample's `SampleRecord` as JSON."""
    return f"{samples_prefix(job)}{sample_id}.json"


def datasets_prefix(job: JobKey) -> str:
    """Prefix of a job's dataset versions."""
    return f"{job_prefix(job)}datasets/"


def dataset_manifest_key(job: JobKey, version: int) -> str:
    """Key of the manifest of a dataset version (1, 2, 3...)."""
    return f"{datasets_prefix(job)}{_number(version, 'dataset version')}/manifest.jsonl"


def round_prefix(job: JobKey, round_id: int) -> str:
    """Prefix of what a round (1, 2, 3...) reads and leaves."""
    return f"{job_prefix(job)}rounds/{_number(round_id, 'round')}/"


def attempt_prefix(job: JobKey, round_id: int, kind: str, attempt: int) -> str:
    """Prefix of one attempt of a round: ``kind`` is "train" or "eval"; nothing else writes below it."""
    return f"{round_prefix(job, round_id)}{kind}-{_number(attempt, 'attempt')}/"


def checkpoints_prefix(job: JobKey, round_id: int, base: int) -> str:
    """Prefix of the checkpoints that all trainings of a round from model version ``base`` share."""
    return f"{round_prefix(job, round_id)}checkpoints-{_number(base, 'model version')}/"


def input_key(job: JobKey, sha256: str, name: str) -> str:
    """Key of a file that a description names and workers read; ``name`` may have folders in it."""
    return f"{job_prefix(job)}inputs/{sha256}/{name}"


def models_prefix(job: JobKey) -> str:
    """Prefix of a job's model versions."""
    return f"{job_prefix(job)}models/"


def model_prefix(job: JobKey, version: int) -> str:
    """Prefix of a model version (1, 2, 3...)."""
    return f"{models_prefix(job)}{_number(version, 'model version')}/"


def model_file_key(job: JobKey, version: int, sha256: str, name: str) -> str:
    """Key of a file of a model version; ``name`` may have folders in it."""
    return f"{model_prefix(job, version)}files/{sha256}/{name}"


def model_module_key(job: JobKey, version: int, sha256: str, name: str) -> str:
    """Key of the Python file that opens a model version."""
    return f"{model_prefix(job, version)}module/{sha256}/{name}"


def model_manifest_key(job: JobKey, version: int) -> str:
    """Key of the manifest of a model version."""
    return f"{model_prefix(job, version)}manifest.json"


def _number(value: int, what: str) -> int:
    if value < 1:
        raise SpecError(f"there is no {what} {value}", hint="counting starts at 1")
    return value
