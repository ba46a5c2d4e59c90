# ruff: noqa: PTH120
import os

from dataset import ImgDataset
from interface import Estimator

from sedna.common.config import Context
from sedna.core.incremental_learning import IncrementalLearning


def main():
    folder = os.path.dirname(Context.get_parameters("ORIGINAL_DATASET_URL"))
    input_shape = int(Context.get_parameters("input_shape"))
    data = ImgDataset(data_type="eval").parse(path=folder + "/eval", train=False, image_shape=input_shape)
    job = IncrementalLearning(estimator=Estimator)
    print(job.evaluate(data, class_names=Context.get_parameters("class_name"), input_shape=input_shape))


if __name__ == "__main__":
    main()
