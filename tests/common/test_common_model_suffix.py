import io
import pickle
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save

from sedna.common.model_suffix import misnamed


def npz() -> bytes:
    out = io.BytesIO()
    np.savez(out, a=np.zeros(3))
    return out.getvalue()


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "suffix"),
    [
        (save({"a": np.zeros(3)}), "safetensors"),
        (npz(), "npz"),
        (archive("model/data.pkl", "model/data/0"), "pt"),
        (archive("config.json", "model.weights.h5"), "keras"),
        (archive("readme"), None),
        (b"\x89HDF\r\n\x1a\n", "h5"),
        (b"\x93NUMPY\x01\x00", "npy"),
        (b"PK\x03\x04 broken", None),
        (pickle.dumps([1, 2, 3]), None),
        (b"", None),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{", None),
    ],
)
def test_a_file_called_pickle_that_is_none(tmp_path, content, suffix):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    assert misnamed(path) == suffix
    assert misnamed(path.rename(tmp_path / "model.bin")) is None
