# ruff: noqa: PTH120
import os

from dataset import ImgDataset
from interface import Estimator

from sedna.common.config import BaseConfig, Context  # noqa: F401 - upstream's example imports both
from sedna.core.incremental_learning import IncrementalLearning


def main():
    base_model_url = Context.get_parameters("base_model_url")
    trained_ckpt_url = Context.get_parameters("model_url")
    options = {
        "image_shape": int(Context.get_parameters("input_shape")),
        "batch_size": int(Context.get_parameters("batch_size")),
        "num_parallel_workers": int(Context.get_parameters("num_parallel_workers")),
    }
    folder = os.path.dirname(Context.get_parameters("ORIGINAL_DATASET_URL"))
    train_data = ImgDataset(data_type="train").parse(path=folder + "/train", train=True, **options)
    valid_data = ImgDataset(data_type="eval").parse(path=folder + "/val", train=False, **options)
    job = IncrementalLearning(estimator=Estimator)
    return job.train(
        train_data=train_data,
        base_model_url=base_model_url,
        trained_ckpt_url=trained_ckpt_url,
        valid_data=valid_data,
        epochs=1,
    )


if __name__ == "__main__":
    main()
    print("train_phase_done")
