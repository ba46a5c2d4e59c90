# ruff: noqa: PTH118, PTH120
import os

from interface import Estimator

from sedna.common.config import Context
from sedna.core.incremental_learning import IncrementalLearning
from sedna.datasources import TxtDataParse


def with_folder(line):
    return os.path.join(os.path.dirname(Context.get_parameters("original_dataset_url")), line)


def main():
    data = TxtDataParse(data_type="test", func=with_folder)
    data.parse(Context.get_parameters("test_dataset_url"), use_raw=True)
    model = IncrementalLearning(estimator=Estimator)
    return model.evaluate(data, class_names=Context.get_parameters("class_names").split(","))


if __name__ == "__main__":
    main()
