# ruff: noqa: PTH119, PTH120, PTH207
import glob
import os

import numpy as np

from sedna.datasources import BaseDataSource


class ImgDataset(BaseDataSource):
    def __init__(self, data_type="train", func=None):
        super().__init__(data_type=data_type, func=func)

    def parse(self, *args, path=None, train=True, image_shape=None, batch_size=None, num_parallel_workers=None):
        files = sorted(glob.glob(path + "/*/*.npy"))
        labels = [int(os.path.basename(os.path.dirname(name))) for name in files]
        return [np.load(name) for name in files], np.array(labels)
