"""Put a lot of labelled pictures into the bucket, as people who label hard examples would, and name them in the index.

python make_lot.py LOT [PICTURES]     lot 0 also brings the first model, trained on it
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from interface import Estimator
from parts import CLASSES, draw
from PIL import Image

from sedna.common.errors import NotFoundError
from sedna.common.file_ops import FileOps
from sedna.datasources import TxtDataParse


def main():
    lot, count = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 120
    bucket = os.environ["BUCKET_URL"].rstrip("/")
    rng = np.random.default_rng(lot)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder) / f"lot-{lot}"
        pictures.mkdir()
        lines = []
        for number in range(count):
            label = number % len(CLASSES)
            name = f"lot-{lot}/{number:04}.png"
            Image.fromarray(draw(label, lot, rng)).save(Path(folder) / name)
            lines.append(f"{name} {label}")
        if lot == 0:
            first_model(Path(folder), lines, bucket)
        FileOps.upload(str(pictures), f"{bucket}/pictures/lot-{lot}", clean=False)
        # The index last: what it names is there.
        index = Path(folder) / "index.txt"
        index.write_text("\n".join([*known_lines(bucket, folder), *lines]) + "\n")
        FileOps.upload(str(index), f"{bucket}/pictures/index.txt", clean=False)
    print(f"lot {lot}: {count} pictures are in {bucket}/pictures")


def known_lines(bucket, folder):
    try:
        path = FileOps.download(f"{bucket}/pictures/index.txt", str(Path(folder) / "before.txt"))
    except NotFoundError:
        return []
    return Path(path).read_text().splitlines()


def first_model(folder, lines, bucket):
    data = TxtDataParse(data_type="train", func=lambda line: str(folder / line))
    (folder / "train.txt").write_text("\n".join(lines))
    data.parse(str(folder / "train.txt"), use_raw=True)
    estimator = Estimator()
    estimator.train(data)
    estimator.save(folder / "model.json")
    FileOps.upload(str(folder / "model.json"), f"{bucket}/models/model.json", clean=False)


if __name__ == "__main__":
    main()
