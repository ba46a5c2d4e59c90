"""Train a candidate on the labelled pictures of the round."""

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
    job = IncrementalLearning(estimator=Estimator)
    return job.train(train_data=data, epochs=Context.get_parameters("epochs", 400))


if __name__ == "__main__":
    main()
