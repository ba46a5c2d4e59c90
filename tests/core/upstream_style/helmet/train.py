# ruff: noqa: PTH110, PTH112, PTH118, PTH120
import os

from interface import Estimator

from sedna.common.config import BaseConfig, Context
from sedna.core.incremental_learning import IncrementalLearning
from sedna.datasources import TxtDataParse


def with_folder(line):
    return os.path.join(os.path.dirname(Context.get_parameters("original_dataset_url")), line)


def main():
    data = TxtDataParse(data_type="train", func=with_folder)
    data.parse(BaseConfig.train_dataset_url, use_raw=True)
    assert os.path.isdir(BaseConfig.model_url) or not os.path.exists(BaseConfig.model_url)
    model = IncrementalLearning(estimator=Estimator)
    return model.train(
        train_data=data,
        epochs=Context.get_parameters("epochs"),
        batch_size=Context.get_parameters("batch_size"),
        class_names=Context.get_parameters("class_names"),
        input_shape=Context.get_parameters("input_shape"),
        obj_threshold=Context.get_parameters("obj_threshold"),
        nms_threshold=Context.get_parameters("nms_threshold"),
    )


if __name__ == "__main__":
    main()
