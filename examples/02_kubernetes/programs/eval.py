"""Measure the candidate and the model in service on the same pictures."""

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
    return IncrementalLearning(estimator=Estimator).evaluate(data)


if __name__ == "__main__":
    main()
