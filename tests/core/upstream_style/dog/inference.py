# ruff: noqa: PTH207
import glob
import shutil

import numpy as np
from interface import Estimator, Model

from sedna.common.config import Context
from sedna.core.incremental_learning import IncrementalLearning

he_saved_url = Context.get_parameters("HE_SAVED_URL", "./tmp")


def main():
    mining = IncrementalLearning.get_hem_algorithm_from_config(random_ratio=0.3)
    job = IncrementalLearning(estimator=Estimator, hard_example_mining=mining)
    model = Model(Context.get_parameters("model_url"))
    for path in sorted(glob.glob(Context.get_parameters("infer_url") + "/*/*")):
        results, _, is_hard_example = job.inference(
            data=np.load(path),
            model=model,
            class_names=Context.get_parameters("class_name"),
            input_shape=int(Context.get_parameters("input_shape")),
        )
        print(f"{path}--->{results}-->{is_hard_example}")
        if is_hard_example:
            shutil.copy(path, he_saved_url)


if __name__ == "__main__":
    main()
