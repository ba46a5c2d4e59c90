import copy
import json
import pickle

import pytest

from sedna.common.config import BaseConfig, Config, ConfigSerializable, Context
from sedna.common.constant import K8sResourceKind, K8sResourceKindStatus
from sedna.common.errors import NotFoundError, SpecError

ENVIRONMENT = {
    "device_category": ("DEVICE_CATEGORY", "CPU"),
    "backend_type": ("BACKEND_TYPE", "TENSORFLOW"),
    "lc_server": ("LC_SERVER", "http://127.0.0.1:9100"),
    "original_dataset_url": ("ORIGINAL_DATASET_URL", None),
    "train_dataset_url": ("TRAIN_DATASET_URL", None),
    "test_dataset_url": ("TEST_DATASET_URL", None),
    "data_path_prefix": ("DATA_PATH_PREFIX", "/home/data"),
    "namespace": ("NAMESPACE", ""),
    "worker_name": ("WORKER_NAME", ""),
    "service_name": ("SERVICE_NAME", ""),
    "job_name": ("JOB_NAME", "sedna"),
    "pretrained_model_url": ("PRETRAINED_MODEL_URL", "./"),
    "model_url": ("MODEL_URL", None),
    "model_name": ("MODEL_NAME", None),
    "log_level": ("LOG_LEVEL", "INFO"),
    "transmitter": ("TRANSMITTER", "ws"),
    "agg_data_path": ("AGG_DATA_PATH", "./"),
    "s3_endpoint_url": ("S3_ENDPOINT_URL", ""),
    "access_key_id": ("ACCESS_KEY_ID", ""),
    "secret_access_key": ("SECRET_ACCESS_KEY", ""),
    "parameters": ("PARAMETERS", None),
}


@pytest.fixture(autouse=True)
def fresh_base_config():
    """Assignments of one test do not reach the next."""
    attributes = dict(vars(BaseConfig))
    yield
    for name in set(vars(BaseConfig)) - set(attributes):
        delattr(BaseConfig, name)
    for name in ENVIRONMENT:
        setattr(BaseConfig, name, attributes[name])
    vars(BaseConfig()).clear()


@pytest.mark.parametrize(("attribute", "variable", "default"), [(a, v, d) for a, (v, d) in ENVIRONMENT.items()])
def test_base_config_reads_the_environment_when_asked(monkeypatch, attribute, variable, default):
    monkeypatch.delenv(variable, raising=False)
    assert getattr(BaseConfig, attribute) == default
    monkeypatch.setenv(variable, "later")
    assert getattr(BaseConfig, attribute) == "later"
    assert getattr(BaseConfig(), attribute) == "later"


def test_base_config_has_these_values_and_no_others():
    assert set(BaseConfig().dict()) == set(ENVIRONMENT)
    assert not hasattr(BaseConfig, "base_model_url")


def test_base_config_is_one_instance(monkeypatch):
    monkeypatch.setenv("MODEL_URL", "/from/environment")
    config = BaseConfig()
    config.model_url = "/assigned"
    assert BaseConfig() is config
    assert BaseConfig().model_url == "/assigned"
    BaseConfig().update(job_name="updated", unknown="ignored")
    assert config.job_name == "updated"
    assert not hasattr(config, "unknown")


def test_from_json_sets_class_values():
    BaseConfig().from_json({"model_url": "/from/json", "extra": {"a": 1}})
    assert BaseConfig.model_url == "/from/json"
    assert BaseConfig().extra.a == 1


@pytest.mark.parametrize("suffix", ["inline", ".json", ".yaml", ".yml", ".py"])
def test_parameters_inline_or_as_a_file(monkeypatch, tmp_path, suffix):
    text = {"inline": '{"lr": 0.1, "net": {"depth": 3}}', ".py": "lr = 0.1\nnet = {'depth': 3}\n"}.get(
        suffix, json.dumps({"lr": 0.1, "net": {"depth": 3}})
    )
    if suffix != "inline":
        path = tmp_path / f"parameters{suffix}"
        path.write_text(text)
        text = str(path)
    monkeypatch.setenv("PARAMETERS", text)
    assert BaseConfig().parameter == {"lr": 0.1, "net": {"depth": 3}}
    assert BaseConfig().parameter.net.depth == 3


def test_parameters_unset_or_wrong(monkeypatch, tmp_path):
    monkeypatch.delenv("PARAMETERS", raising=False)
    assert BaseConfig().parameter == {}
    monkeypatch.setenv("PARAMETERS", "{not json")
    with pytest.raises(SpecError, match="not JSON"):
        _ = BaseConfig().parameter
    monkeypatch.setenv("PARAMETERS", "[1, 2]")
    with pytest.raises(SpecError, match="mapping, not list"):
        _ = BaseConfig().parameter
    monkeypatch.setenv("PARAMETERS", str(tmp_path / "none.yaml"))
    with pytest.raises(NotFoundError):
        _ = BaseConfig().parameter


def test_context_takes_the_name_then_upper_case_then_the_default(monkeypatch):
    monkeypatch.setenv("EPOCHS", "3")
    monkeypatch.setenv("batch_size", "32")
    monkeypatch.setenv("EMPTY", "")
    assert Context.get_parameters("epochs") == "3"
    assert Context.get_parameters("batch_size") == "32"
    assert Context.get_parameters("empty", 7) == 7
    assert Context.get_parameters("no_such_parameter") is None
    monkeypatch.setenv("epochs", "5")
    assert Context.get_parameters("epochs") == "5"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ('[{"key":"threshold_img","value":"0.9"},{"key":"threshold_box","value":"0"}]', {"threshold_img": "0.9"}),
        ('[{"key":"flag"}]', {"flag": ""}),
        ('[["threshold_img", "0.8"]]', {"threshold_img": "0.8"}),
        ('{"threshold_img": 0.7}', {"threshold_img": 0.7}),
        ("null", {}),
        ("[]", {}),
        ("", {}),
    ],
)
def test_algorithm_from_the_job_description(monkeypatch, parameters, expected):
    monkeypatch.setenv("HEM_NAME", "IBT")
    monkeypatch.setenv("HEM_PARAMETERS", parameters)
    found = Context.get_algorithm_from_api("HEM", threshold_box=0.5)
    assert found == {"method": "IBT", "param": {**expected, "threshold_box": 0.5}}


@pytest.mark.parametrize("parameters", ["{", "3", '["ab", 1]', '[{"value": "x"}]'])
def test_algorithm_with_wrong_parameters(monkeypatch, parameters):
    monkeypatch.setenv("HEM_NAME", "IBT")
    monkeypatch.setenv("HEM_PARAMETERS", parameters)
    with pytest.raises(SpecError, match="HEM_PARAMETERS: not a list of keys and values"):
        Context.get_algorithm_from_api("HEM")


def test_no_algorithm(monkeypatch):
    monkeypatch.delenv("HEM_NAME", raising=False)
    assert Context.get_algorithm_from_api("HEM", threshold=0.5) == {}


def test_config_is_a_dictionary_with_attributes():
    config = Config({"a": {"b": 1}}, c=2)
    assert config.a.b == 1
    assert config == {"a": {"b": 1}, "c": 2}
    config.d = 3
    del config.c
    assert config(e=4) == {"a": {"b": 1}, "d": 3, "e": 4}
    with pytest.raises(AttributeError):
        _ = config.missing
    with pytest.raises(AttributeError):
        del config.missing
    for twin in (copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        assert isinstance(twin.a, Config)
        twin.a.b = 9
        assert config.a.b == 1


class _Inner(ConfigSerializable):
    depth = 3


class _Outer(ConfigSerializable):
    name = "outer"
    inner = _Inner
    empty = 0

    def method(self):
        raise AssertionError("a method is not a value")


def test_config_serializable():
    outer = _Outer()
    assert outer.dict() == {"name": "outer", "inner": {"depth": 3}, "empty": 0}
    assert outer.to_json().inner.depth == 3
    assert outer["name"] == "outer"
    assert outer["missing"] is None
    assert outer.get("empty", "default") == "default"
    assert _Outer.from_json(None) is _Outer


def test_words_on_the_wire():
    assert K8sResourceKind.INCREMENTAL_JOB.value == "incrementallearningjob"
    assert [status.value for status in K8sResourceKindStatus] == ["completed", "failed", "running"]
