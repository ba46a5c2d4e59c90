# ruff: noqa: B905, PTH207
import glob

import numpy as np
from interface import Estimator

from sedna.common.config import Context
from sedna.common.file_ops import FileOps
from sedna.core.incremental_learning import IncrementalLearning

he_saved_url = Context.get_parameters("HE_SAVED_URL", "/tmp")
rsl_saved_url = Context.get_parameters("RESULT_SAVED_URL", "/tmp")


def deal_infer_rsl(model_output):
    all_classes, all_scores, all_bboxes = model_output
    return [[*bbox.tolist(), score, label] for label, score, bbox in zip(all_classes, all_scores, all_bboxes)]


def main():
    FileOps.clean_folder([he_saved_url, rsl_saved_url], clean=False)
    mining = IncrementalLearning.get_hem_algorithm_from_config(threshold_img=0.9)
    model = IncrementalLearning(estimator=Estimator, hard_example_mining=mining)
    input_shape = tuple(int(side) for side in Context.get_parameters("input_shape").split(","))
    for number, path in enumerate(sorted(glob.glob(Context.get_parameters("video_url") + "/*.npy"))):
        frame = np.load(path)
        results, processed, is_hard_example = model.inference(
            frame, post_process=deal_infer_rsl, input_shape=input_shape
        )
        assert len(results) == 3
        assert processed[0][4] == results[1][0]
        target = he_saved_url if is_hard_example else rsl_saved_url
        np.save(f"{target}/{number}.npy", frame)


if __name__ == "__main__":
    main()
