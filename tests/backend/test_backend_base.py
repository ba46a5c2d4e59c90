import gc
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sedna.backend import BackendBase, set_backend
from sedna.backend.mindspore import MSBackend
from sedna.backend.tensorflow import KerasBackend, TFBackend
from sedna.backend.torch import TorchBackend
from sedna.common.config import BaseConfig
from sedna.common.errors import ModelError, NotFoundError, SpecError

ALL = [BackendBase, TFBackend, KerasBackend, MSBackend, TorchBackend]


class Mean:
    """A model of one number."""

    def __init__(self, start=0.0):
        self.mean = float(start)

    def train(self, train_data, valid_data=None, epochs=1):
        self.mean = float(np.mean(train_data))
        return {"epochs": epochs, "valid": valid_data}

    def predict(self, data):
        return [self.mean for _ in data]

    def evaluate(self, data, model_path=None):
        if model_path:
            self.load(model_path)
        return {"error": [abs(self.mean - float(np.mean(data)))]}

    def save(self, model_path):
        Path(model_path).write_text(str(self.mean))

    def load(self, model_url):
        self.mean = float(Path(model_url).read_text())


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize("kind", ["class", "instance"])
def test_a_whole_life(backend, kind, tmp_path):
    wrapped = backend(Mean if kind == "class" else Mean(), model_save_path=str(tmp_path))
    assert not wrapped.has_load
    result = wrapped.train(train_data=[1, 2, 3], valid_data=None, epochs=4, unknown="dropped")
    assert result == {"epochs": 4, "valid": None}
    path = wrapped.save()
    assert path == str(tmp_path / wrapped.model_name)
    assert wrapped.predict([0, 0]) == [2.0, 2.0]
    again = backend(Mean, model_save_path=str(tmp_path))
    again.load(path)
    assert again.has_load
    assert again.predict(data=[0]) == [2.0]
    assert again.evaluate(data=[2.5]) == {"error": [0.5]}


@pytest.mark.parametrize("backend", ALL)
def test_evaluate_on_a_class(backend, tmp_path):
    (tmp_path / "a").write_text("1")
    wrapped = backend(Mean)
    assert wrapped.evaluate(data=[3], model_path=str(tmp_path / "a")) == {"error": [2.0]}


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize("by_position", [True, False])
def test_each_model_is_measured_also_when_evaluate_ignores_the_path(backend, by_position, tmp_path):
    class Plain(Mean):
        def evaluate(self, valid_data, **options):
            return {"error": abs(self.mean - valid_data[0]), "options": sorted(options)}

    for name in "12":
        (tmp_path / name).write_text(name)
    wrapped = backend(Plain())
    for name, error in (("1", 4.0), ("2", 3.0)):
        path = str(tmp_path / name)
        found = wrapped.evaluate([5], model_path=path) if by_position else wrapped.evaluate(data=[5], model_path=path)
        assert found == {"error": error, "options": ["model_path"]}


class Fits:
    """Has fit and no train, as scikit-learn's estimators."""

    def fit(self, X, y):  # noqa: N803 - as scikit-learn calls it
        self.seen = (list(X), list(y))
        return self


class FitsSource:
    def fit(self, source, *, epochs=1):
        self.seen = (source, epochs)


class Source:
    x, y = [1, 2], [3, 4]


def test_estimators_without_train():
    wrapped = BackendBase(Fits)
    assert wrapped.train(train_data=Source, valid_data=None) is wrapped.estimator
    assert wrapped.estimator.seen == ([1, 2], [3, 4])
    other = BackendBase(FitsSource())
    other.train(train_data=Source, valid_data=None, epochs="3")
    assert other.estimator.seen == (Source, "3")
    positional = BackendBase(Fits)
    positional.train([5], [6])
    assert positional.estimator.seen == ([5], [6])


class Both:
    def fit(self, train_data):
        return "fit"

    def train(self, train_data):
        return "train"

    def update(self, train_data):
        return "update"


@pytest.mark.parametrize(
    ("backend", "first"),
    [(BackendBase, "fit"), (TorchBackend, "fit"), (TFBackend, "train"), (KerasBackend, "train"), (MSBackend, "train")],
)
def test_which_method_trains(backend, first):
    assert backend(Both()).train(train_data=1) == first
    assert backend(Both()).update(train_data=1) == "update"
    assert backend(Fits).update(train_data=Source).seen == ([1, 2], [3, 4])


def test_arguments_reach_what_collects_keywords_under_any_name():
    def collects(data, **anything):
        return anything

    def names(data, a=0, *, b=0):
        return a, b

    assert BackendBase.parse_kwargs(collects, a=1, b=2) == {"a": 1, "b": 2}
    assert BackendBase.parse_kwargs(names, a=1, b=2, c=3) == {"a": 1, "b": 2}
    assert BackendBase.parse_kwargs(partial(names, a=1), b=2, c=3) == {"b": 2}
    assert BackendBase.parse_kwargs("no function", a=1) == {"a": 1}


class Strict:
    def __init__(self, **parameters):
        self.parameters = parameters

    def train(self, train_data, **kwargs):
        return sorted(kwargs)


def test_a_constructor_that_collects_keywords_gets_no_data():
    wrapped = BackendBase(Strict)
    assert wrapped.train(train_data=[1], valid_data=[2], lr=0.1) == ["lr", "valid_data"]
    assert wrapped.estimator.parameters == {"lr": 0.1}


class Network:
    """Callable, but no class: an instance of a network."""

    def __call__(self, x):
        raise AssertionError("an instance is not instantiated")

    def predict(self, data):
        return data

    def fit(self, train_data):
        return "trained"


@pytest.mark.parametrize("backend", ALL)
def test_a_callable_instance_is_an_instance(backend):
    assert backend(Network()).predict([1]) == [1]
    assert backend(Network()).train(train_data=[1]) == "trained"


@pytest.mark.parametrize("backend", ALL)
def test_a_factory_function(backend):
    assert backend(lambda: Mean(3)).predict([0]) == [3.0]


@pytest.mark.parametrize(
    ("backend", "name"),
    [
        (BackendBase, "model_finetune_.pkl"),
        (TFBackend, "model_finetune_tensorflow.pb"),
        (KerasBackend, "model_finetune_keras.pb"),
        (MSBackend, "model_finetune_mindspore.ckpt"),
        (TorchBackend, "model_finetune_pytorch.pth"),
    ],
)
def test_model_names(backend, name):
    assert backend(Mean).model_name == name
    assert backend(Mean, model_name="mine.bin").model_name == "mine.bin"
    assert backend(Mean, fine_tune=False).model_name == name.replace("_finetune_", "")
    declared = type("Declared", (Mean,), {"model_format": "safetensors"})
    assert backend(declared).model_name == name.rpartition(".")[0] + ".safetensors"


@pytest.mark.parametrize("backend", ALL)
def test_errors_of_the_estimator_pass(backend, tmp_path):
    class Broken(Mean):
        def train(self, train_data):
            raise RuntimeError("no gradient")

        def load(self, model_url):
            raise ModelError("not mine")

    with pytest.raises(RuntimeError, match="no gradient"):
        backend(Broken()).train(train_data=[1])
    (tmp_path / "m").write_text("x")
    wrapped = backend(Broken())
    with pytest.raises(ModelError, match="not mine"):
        wrapped.load(str(tmp_path / "m"))
    assert not wrapped.has_load


def test_load_takes_file_folder_or_nothing(tmp_path):
    (tmp_path / "model_finetune_.pkl").write_text("7")
    (tmp_path / "other").write_text("8")
    for url, expected in ((str(tmp_path), 7.0), (str(tmp_path / "other"), 8.0), (f"file://{tmp_path / 'other'}", 8.0)):
        wrapped = BackendBase(Mean)
        wrapped.load(url)
        assert wrapped.predict([0]) == [expected]
    wrapped = BackendBase(Mean, model_save_path=str(tmp_path))
    wrapped.load()
    assert wrapped.predict([0]) == [7.0]
    with pytest.raises(NotFoundError):
        BackendBase(Mean).load(str(tmp_path / "none"))


def test_load_passes_a_folder_that_holds_no_such_file(tmp_path):
    class Folder:
        def load(self, path):
            self.path = path

    wrapped = BackendBase(Folder())
    wrapped.load(str(tmp_path))
    assert wrapped.estimator.path == str(tmp_path)


def test_load_leaves_an_estimator_without_load_alone(tmp_path):
    wrapped = BackendBase(Network())
    wrapped.load(str(tmp_path / "none"))
    assert wrapped.has_load


def test_save_makes_folders_and_takes_the_answer_of_the_estimator(tmp_path):
    class Renames(Mean):
        def save(self, model_path):
            path = model_path + ".bin"
            super().save(path)
            return path

    target = tmp_path / "train" / "1" / "m"
    assert BackendBase(Mean()).save(str(target)) == str(target)
    assert BackendBase(Renames()).save(str(target)) == f"{target}.bin"
    over = BackendBase(Mean(4), model_save_path=str(target))
    assert over.save() == str(target)
    assert target.read_text() == "4.0"


def test_save_that_writes_nothing_is_an_error(tmp_path):
    class Silent(Mean):
        def save(self, model_path):
            pass

    with pytest.raises(ModelError, match="wrote nothing"):
        BackendBase(Silent()).save(str(tmp_path / "m"))


def test_missing_methods_are_named():
    wrapped = BackendBase(FitsSource())
    for call, names in (
        (lambda: wrapped.predict([1]), "predict"),
        (lambda: wrapped.predict_proba([1]), "predict_proba"),
        (lambda: wrapped.evaluate(data=[1]), "evaluate"),
        (wrapped.get_weights, "get_weights"),
        (lambda: wrapped.set_weights([1]), "set_weights"),
        (lambda: BackendBase(Source()).train(train_data=1), "fit or train"),
    ):
        with pytest.raises(SpecError, match=f"no method {names}"):
            call()


def test_weights_and_probabilities():
    class Weighted:
        weights = 1

        def get_weights(self):
            return self.weights

        def set_weights(self, weights):
            self.weights = weights

        def predict_proba(self, data, scale=1):
            return [scale for _ in data]

        def predict(self):
            return "without data"

    wrapped = BackendBase(Weighted())
    wrapped.set_weights(5)
    assert wrapped.get_weights() == 5
    assert wrapped.predict_proba([0], scale=2) == [2]
    assert wrapped.predict() == "without data"


def test_report_entries_of_a_model():
    plain = BackendBase(Mean).model_info("/home/data/output/m.pth", "/home/data", {"loss": 1})
    assert plain == [{"format": "pth", "url": "/output/m.pth", "metrics": {"loss": 1}}]
    both = TFBackend(Mean).model_info("/home/data/output/m.PB", "/home/data", {"loss": 1})
    assert both == [
        {"format": "pb", "url": "/output/m.PB", "metrics": {"loss": 1}},
        {"format": "ckpt", "url": "/output", "metrics": {"loss": 1}},
    ]
    assert TFBackend(Mean).model_info("s3://b/out/m.pb")[1]["url"] == "s3://b/out"
    assert [entry["format"] for entry in TFBackend(Mean).model_info("/m.ckpt")] == ["ckpt"]


@pytest.mark.parametrize(
    ("kind", "backend"),
    [
        ("TENSORFLOW", TFBackend),
        ("KERAS", KerasBackend),
        ("MINDSPORE", MSBackend),
        ("TORCH", TorchBackend),
        ("PYTORCH", TorchBackend),
        ("torch", TorchBackend),
        ("SKLEARN", BackendBase),
        (None, TFBackend),
    ],
)
def test_set_backend_by_type(monkeypatch, tmp_path, kind, backend):
    monkeypatch.delenv("BACKEND_TYPE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if kind:
        monkeypatch.setenv("BACKEND_TYPE", kind)
    monkeypatch.setenv("MODEL_URL", str(tmp_path))
    monkeypatch.setenv("MODEL_NAME", "mine.bin")
    wrapped = set_backend(Mean, BaseConfig())
    assert type(wrapped) is backend
    assert (wrapped.model_save_path, wrapped.model_name, wrapped.use_cuda) == (str(tmp_path), "mine.bin", False)
    assert set_backend(None) is None


def test_set_backend_with_a_gpu(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("DEVICE_CATEGORY", "CPU")
    wrapped = set_backend(Mean)
    assert wrapped.use_cuda
    assert BaseConfig.device_category == "GPU"


def test_no_framework_is_imported(monkeypatch):
    before = {name for name in ("tensorflow", "mindspore", "keras") if name in sys.modules}
    for kind in ("TENSORFLOW", "MINDSPORE", "TORCH"):
        monkeypatch.setenv("BACKEND_TYPE", kind)
        assert set_backend(Mean).predict([0]) == [0.0]
    assert {name for name in ("tensorflow", "mindspore", "keras") if name in sys.modules} == before


def test_torch_backend_says_where_to_compute():
    assert TorchBackend(Mean).device == "cpu"
    pytest.importorskip("torch", reason="torch is in the extra 'train'")
    assert TorchBackend(Mean, use_cuda=True).device in ("cpu", "cuda")


def test_torch_backend_trains_a_network(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is in the extra 'train'")

    class Line:
        def __init__(self):
            torch.manual_seed(0)
            self.net = torch.nn.Linear(1, 1)

        def train(self, train_data, epochs=100):
            x, y = train_data
            optimiser = torch.optim.SGD(self.net.parameters(), lr=0.1)
            for _ in range(epochs):
                optimiser.zero_grad()
                loss = ((self.net(x) - y) ** 2).mean()
                loss.backward()
                optimiser.step()
            return {"loss": loss}

        def save(self, model_path):
            torch.save(self.net.state_dict(), model_path)

        def load(self, model_url):
            self.net.load_state_dict(torch.load(model_url, weights_only=True))

        def predict(self, data):
            return self.net(data).detach()

    x = torch.linspace(-1, 1, 20)[:, None]
    wrapped = TorchBackend(Line, model_save_path=str(tmp_path))
    assert wrapped.train(train_data=(x, 3 * x + 1), epochs=200)["loss"] < 1e-3
    path = wrapped.save()
    again = TorchBackend(Line)
    again.load(path)
    assert torch.equal(again.predict(x), wrapped.predict(x))


@pytest.fixture
def bucket(s3_server, monkeypatch, request):
    monkeypatch.setenv("S3_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("SECRET_ACCESS_KEY", s3_server.secret_key)
    return f"s3://{s3_server.bucket}/backend/{request.node.name.partition('[')[0]}"


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder of all temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class Twin:
    """A model of several files; it reads one of them long after `load`, and can load by itself."""

    shape = "file"

    def __init__(self):
        self.value, self.beside = 0, None

    def train(self, train_data, base_model_url=None):
        if base_model_url:
            self.load(base_model_url)
        self.value += sum(train_data)

    def save(self, model_path):
        path = Path(model_path)
        if self.shape == "folder":
            path.mkdir()
            path = path / "weights"
        elif self.shape == "parent":
            path = path.with_name("inside")
        path.write_text(str(self.value))
        path.with_suffix(".onnx").write_text(f"twin of {self.value}")
        (path.parent / "labels.json").write_text('["a"]')
        return str({"file": path, "folder": path.parent, "parent": path.parent}[self.shape])

    def load(self, model_url):
        path = Path(model_url)
        if path.is_dir():
            path = path / {"folder": "weights", "parent": "inside"}[self.shape]
        self.value = int(path.read_text())
        assert (path.parent / "labels.json").read_text() == '["a"]'
        self.beside = path.with_suffix(".onnx")

    def predict(self, data):
        return self.beside.read_text()

    def evaluate(self, data, model_path=None):
        self.load(model_path)
        return self.predict(data)


class OnlyLoads(Twin):
    def evaluate(self, data):
        return self.predict(data)


@pytest.mark.s3
def test_models_in_object_storage(bucket, scratch):
    address = f"{bucket}/train/1/m.pkl"
    assert BackendBase(Mean(6)).save(address) == address
    assert list(scratch.iterdir()) == []
    wrapped = BackendBase(Mean)
    wrapped.load(address)
    assert wrapped.predict([0]) == [6.0]
    assert wrapped.model_save_path == address
    with pytest.raises(NotFoundError, match="none"):
        wrapped.load(f"{bucket}/none")
    assert wrapped.predict([0]) == [6.0]


@pytest.mark.s3
@pytest.mark.parametrize(
    ("shape", "stored"), [("file", "m.bin"), ("folder", "m.bin"), ("parent", "")], ids=["file", "folder", "parent"]
)
def test_every_file_of_a_model_reaches_object_storage_and_comes_back(bucket, scratch, monkeypatch, shape, stored):
    monkeypatch.setattr(Twin, "shape", shape)
    first = f"{bucket}/{shape}/1"
    address = f"{first}/{stored}".rstrip("/")
    wrapped = BackendBase(Twin)
    wrapped.train(train_data=[4])
    assert wrapped.save(f"{first}/m.bin") == address
    assert list(scratch.iterdir()) == []
    wrapped.train(train_data=[1], base_model_url=address)
    second = wrapped.save(f"{bucket}/{shape}/2/m.bin")
    assert [BackendBase(Twin).evaluate([0], model_path=url) for url in (second, address)] == ["twin of 5", "twin of 4"]
    for estimator in (Twin, OnlyLoads):
        wrapped = BackendBase(estimator)
        assert [wrapped.evaluate([0], model_path=url) for url in (address, second)] == ["twin of 4", "twin of 5"]
        assert len(list(scratch.iterdir())) == 1
        del wrapped
        gc.collect()
        assert list(scratch.iterdir()) == []


@pytest.mark.s3
def test_a_model_that_the_estimator_writes_elsewhere_is_stored_too(bucket, tmp_path):
    class Stubborn(Twin):
        def save(self, model_path):
            (tmp_path / "own").mkdir(exist_ok=True)
            return super().save(tmp_path / "own" / "mine.bin")

        def load(self, model_url):
            self.beside = Path(model_url).with_suffix(".onnx")

    address = BackendBase(Stubborn()).save(f"{bucket}/m.bin")
    assert address == f"{bucket}/mine.bin"
    assert (tmp_path / "own" / "mine.bin").exists()
    wrapped = BackendBase(Stubborn)
    wrapped.load(address)
    assert wrapped.predict([0]) == "twin of 0"


@pytest.mark.s3
def test_a_folder_in_object_storage_is_loaded_as_a_local_one(bucket, monkeypatch):
    BackendBase(Twin()).save(f"{bucket}/m.bin")
    wrapped = BackendBase(Twin, model_name="m.bin")
    wrapped.load(bucket)
    assert wrapped.predict([0]) == "twin of 0"


@pytest.mark.s3
def test_a_failed_load_leaves_the_copy_of_the_model_in_service(bucket, scratch):
    address = BackendBase(Twin()).save(f"{bucket}/1/m.bin")
    broken = BackendBase(Mean(6)).save(f"{bucket}/2/m.bin")
    wrapped = BackendBase(Twin)
    wrapped.load(address)
    before = list(scratch.iterdir())
    with pytest.raises(ValueError, match="invalid literal"):
        wrapped.load(broken)
    assert wrapped.predict([0]) == "twin of 0"
    assert list(scratch.iterdir()) == before


@pytest.mark.parametrize("address", ["https://host/m.pkl", "gs://bucket/m.pkl", "s3://bucket"])
def test_addresses_that_take_no_model(address, scratch):
    with pytest.raises(SpecError, match="s3://bucket/folder/model"):
        BackendBase(Mean(6)).save(address)
    assert list(scratch.iterdir()) == []
