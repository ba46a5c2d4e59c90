"""The names and values that the platform gives its workers, as one real run of upstream's controller wrote them."""

import pytest

from sedna.common.config import BaseConfig, Context
from sedna.common.errors import SpecError
from sedna.core.incremental_learning import IncrementalLearning
from sedna.core.incremental_learning.settings import WorkerSettings

COMMON = {"NAMESPACE": "default", "JOB_NAME": "helmet-demo", "LC_SERVER": "http://localhost:9100"}
LOCAL = COMMON | {"DATA_PATH_PREFIX": "/home/data"}

TRAIN = LOCAL | {
    "WORKER_NAME": "train-worker-mj96f",
    "ORIGINAL_DATASET_URL": "/home/data/data/train/train.txt",
    "BASE_MODEL_URL": "/home/data/models/base/base.pb",
    "MODEL_URL": "/home/data/output/train/1",
    "TRAIN_DATASET_URL": "/home/data/output/data/train/1/data.txt",
}
EVAL = LOCAL | {
    "WORKER_NAME": "eval-worker-7jn5k",
    "ORIGINAL_DATASET_URL": "/home/data/data/train/train.txt",
    "MODEL_URLS": "/home/data/output/train/1/model.pb;/home/data/models/deploy/model.pb",
    "TEST_DATASET_URL": "/home/data/output/data/eval/1/data.txt",
}
INFERENCE = LOCAL | {
    "WORKER_NAME": "inferworker-kjzv2",
    "MODEL_URL": "/home/data/models/deploy/model.pb",
    "HEM_NAME": "IBT",
    "HEM_PARAMETERS": '[{"key":"threshold_img","value":"0.9"}]',
}
TRAIN_S3 = COMMON | {
    "WORKER_NAME": "train-worker-x5c2b",
    "S3_ENDPOINT_URL": "http://minio.local:9000",
    "ACCESS_KEY_ID": "access",
    "SECRET_ACCESS_KEY": "secret",
    "ORIGINAL_DATASET_URL": "/downloads/bkt/output/data/train/1/dataIndex.txt",
    "BASE_MODEL_URL": "/downloads/bkt/models/base/base.pb",
    "MODEL_URL": "s3://bkt/output/train/1",
    "TRAIN_DATASET_URL": "/downloads/bkt/output/data/train/1/data.txt",
}

ATTRIBUTES = {
    "NAMESPACE": "namespace",
    "JOB_NAME": "job_name",
    "WORKER_NAME": "worker_name",
    "LC_SERVER": "lc_server",
    "DATA_PATH_PREFIX": "data_path_prefix",
    "ORIGINAL_DATASET_URL": "original_dataset_url",
    "TRAIN_DATASET_URL": "train_dataset_url",
    "TEST_DATASET_URL": "test_dataset_url",
    "MODEL_URL": "model_url",
    "S3_ENDPOINT_URL": "s3_endpoint_url",
    "ACCESS_KEY_ID": "access_key_id",
    "SECRET_ACCESS_KEY": "secret_access_key",
}

WORKERS = {"train": TRAIN, "eval": EVAL, "inference": INFERENCE, "train from s3": TRAIN_S3}


class Estimator:
    def predict(self, data):
        return data


@pytest.mark.parametrize("environment", WORKERS.values(), ids=WORKERS.keys())
def test_base_config_and_context_read_every_name(worker_env, environment):
    worker_env(**environment)
    for variable, value in environment.items():
        assert Context.get_parameters(variable) == value
        assert Context.get_parameters(variable.lower()) == value
        if variable in ATTRIBUTES:
            assert getattr(BaseConfig, ATTRIBUTES[variable]) == value


@pytest.mark.parametrize("environment", WORKERS.values(), ids=WORKERS.keys())
def test_the_job_takes_its_identity_from_it(worker_env, environment, tmp_path):
    url = environment.get("MODEL_URL", "")
    worker_env(**environment, BACKEND_TYPE="TENSORFLOW")
    worker_env(MODEL_URL=url if url.startswith("s3://") else f"{tmp_path}{url}")
    job = IncrementalLearning(Estimator)
    assert (job.namespace, job.job_name, job.lc_server) == ("default", "helmet-demo", "http://localhost:9100")
    assert job.worker_name == environment["WORKER_NAME"]
    assert job.model_urls == environment.get("MODEL_URLS")
    if environment is INFERENCE:
        assert job.hard_example_mining_algorithm.threshold_img == 0.9
    else:
        assert job.hard_example_mining_algorithm is None
    if environment is TRAIN_S3:
        assert job.model_path == "s3://bkt/output/train/1/model_finetune_tensorflow.pb"


def test_the_built_in_worker_reads_the_same_names():
    train = WorkerSettings.from_env(TRAIN)
    assert (train.namespace, train.job_name, train.worker_name) == ("default", "helmet-demo", "train-worker-mj96f")
    assert train.lc_server == "http://localhost:9100"
    assert train.base_model_url == "/home/data/models/base/base.pb"
    assert train.model_url == "/home/data/output/train/1"
    assert train.train_dataset_url == "/home/data/output/data/train/1/data.txt"
    assert train.original_dataset_url == "/home/data/data/train/train.txt"
    evaluation = WorkerSettings.from_env(EVAL)
    assert evaluation.model_urls == ("/home/data/output/train/1/model.pb", "/home/data/models/deploy/model.pb")
    assert evaluation.test_dataset_url == "/home/data/output/data/eval/1/data.txt"


def test_the_built_in_worker_reads_our_names():
    settings = WorkerSettings.from_env(
        {
            "ALGORITHM": "FPN",
            "ALGORITHM_MODULE": "/plugins/mine.py",
            "ALGORITHM_PARAMETERS": '{"learning_rate": "0.01"}',
            "CLASS_NAMES": '["open", "short"]',
            "CHECKPOINT_DIR": "/checkpoints",
            "PROGRESS_PATH": "/progress.jsonl",
            "REPORT_PATH": "/report.json",
            "UNLABELLED_DATASET_URL": "/unlabelled.txt",
            "STOP_GRACE_SECONDS": "5",
            "MODEL_URLS": " ; ",
            "LC_SERVER": "",
            "LOG_FORMAT": "json",
        }
    )
    assert settings.algorithm == "FPN"
    assert settings.algorithm_parameters == {"learning_rate": "0.01"}
    assert settings.class_names == ("open", "short")
    assert str(settings.checkpoint_dir) == "/checkpoints"
    assert settings.model_urls == ()
    assert settings.lc_server is None
    assert settings.stop_grace_seconds == 5.0


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("ALGORITHM_PARAMETERS", "{", "not JSON"),
        ("ALGORITHM_PARAMETERS", "[1]", "valid dictionary"),
        ("CLASS_NAMES", "open,short", "not JSON"),
        ("CLASS_NAMES", "[1]", "valid string"),
        ("STOP_GRACE_SECONDS", "soon", "valid number"),
        ("LOG_FORMAT", "xml", "'text' or 'json'"),
    ],
)
def test_wrong_values_name_their_variable(variable, value, message):
    with pytest.raises(SpecError) as caught:
        WorkerSettings.from_env({variable: value})
    assert caught.value.where == variable
    assert message in caught.value.message
    assert value in caught.value.message
