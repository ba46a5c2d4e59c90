import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.edge_twins import JOB, MemoryLink, make_classifier, png
from sedna.common.audit import is_audited
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.clock import SettableClock
from sedna.common.errors import ModelError, NotFoundError, UserError
from sedna.common.types import Box, Picked, Prediction, sample_id
from sedna.edge.budget import KeepLimits
from sedna.edge.counters import NotKept
from sedna.edge.image import decode_image
from sedna.edge.lease import NoModelError
from sedna.edge.pipeline import MinerPipeline, miner_input
from sedna.edge.protocol import DesiredMiner
from sedna.edge.slot import ModelSlot
from sedna.edge.spool import Spool


@ClassFactory.register(ClassType.HEM, alias="EdgeTestCrash")
class CrashingMiner:
    def __call__(self, infer_result=None):
        raise ZeroDivisionError("strange prediction")


def frame(seed: int):
    return decode_image(png(seed), max_pixels=10_000)


class FakeRuntime:
    def __init__(self):
        self.prediction = Prediction(boxes=(Box(x1=0, y1=0, x2=5, y2=5, label=1, score=0.3),))
        self.error: ModelError | None = None

    def predict(self, images):
        if self.error:
            raise self.error
        return [self.prediction for _ in images]

    def close(self):
        pass


class Setting:
    def __init__(self, tmp_path, **limits):
        self.runtime = FakeRuntime()
        self.clock = SettableClock()
        self.link = MemoryLink()
        self.spool = Spool(tmp_path / "spool")
        self.slot = ModelSlot(JOB, tmp_path / "slot", self.link, lambda folder, manifest: self.runtime)
        self.desired = self.link.publish(make_classifier(tmp_path / "model", 3), tmp_path / "model")
        self.slot.ensure(3, None)
        self.pipeline = MinerPipeline(self.slot, self.spool, "edge-1", limits=KeepLimits(**limits), clock=self.clock)

    def configure(self, miner="Threshold", audit_ratio=0.0, **parameters):
        self.pipeline.configure(
            self.desired.model_copy(
                update={"miner": DesiredMiner(name=miner, parameters=parameters), "audit_ratio": audit_ratio}
            )
        )

    def one(self, seed: int = 0, **arguments):
        _, (result,) = self.pipeline.handle([frame(seed)], **arguments)
        return result


@pytest.fixture
def setting(tmp_path):
    setting = Setting(tmp_path)
    yield setting
    setting.spool.close()


def test_a_hard_one_is_kept_with_everything_known_about_it(setting):
    setting.configure(threshold="0.5")
    result = setting.one(request_id="line-4")
    assert (result.kept, result.not_kept) == (Picked.HARD, None)
    (entry,) = setting.spool.pending()
    record = entry.record
    assert entry.path.read_bytes() == png(0)
    assert record.sample_id == result.sample_id == sample_id(png(0))
    assert (record.job, record.model_version, record.edge, record.picked) == (JOB, 3, "edge-1", Picked.HARD)
    assert (record.width, record.height, record.size) == (16, 12, len(png(0)))
    assert record.prediction == setting.runtime.prediction
    assert (record.verdict.miner, record.verdict.score, record.verdict.threshold) == ("Threshold", 0.3, 0.5)
    assert record.captured_at == setting.clock.now()
    assert record.meta == {"request_id": "line-4"}


def test_a_clients_request_id_does_not_fill_the_spool(setting):
    setting.configure(threshold="0.5")
    setting.one(request_id="x" * 1_000_000)
    (entry,) = setting.spool.pending()
    assert entry.record.meta == {"request_id": "x" * 200}


def test_an_easy_one_is_not_kept(setting):
    setting.configure(threshold="0.2")
    result = setting.one()
    assert (result.kept, result.not_kept, result.verdict.hard) == (None, None, False)
    assert list(setting.spool.pending()) == []


def test_a_repeat_is_kept_once(setting):
    setting.configure()
    assert setting.one().kept is Picked.HARD
    assert setting.one().not_kept is NotKept.KNOWN


def test_an_audited_one_counts_as_audit_also_if_it_is_hard(setting):
    setting.configure(audit_ratio=1.0, threshold=0.5)
    result = setting.one()
    assert (result.kept, result.verdict.hard) == (Picked.AUDIT, True)
    counts = setting.pipeline.counters.snapshot()
    assert (counts.hard, counts.audit, counts.kept) == (1, 1, {"audit": 1})


def test_a_miner_that_raises_fails_no_request(setting):
    setting.configure(miner="EdgeTestCrash")
    result = setting.one()
    assert result.kept is Picked.HARD, "what cannot be judged would bias the audit"
    assert result.verdict.reason == "the miner failed: ZeroDivisionError: strange prediction"
    assert setting.pipeline.counters.snapshot().miner_errors == 1


@pytest.mark.parametrize(
    ("miner", "parameters"), [("NoSuchMiner", {}), ("Threshold", {"threshold": "x"}), ("EdgeTestCrash", {"a": 1})]
)
def test_a_miner_that_cannot_be_made_leaves_the_one_before(setting, miner, parameters):
    setting.configure(threshold=0.5)
    with pytest.raises(UserError):
        setting.configure(miner=miner, **parameters)
    assert setting.one().kept is Picked.HARD


def test_a_miner_keeps_its_state_while_it_is_wanted(setting):
    setting.configure(miner="Random", random_ratio=0.5, seed=1)
    first = setting.pipeline._rules.miner
    setting.configure(miner="Random", audit_ratio=0.5, random_ratio=0.5, seed=1)
    assert setting.pipeline._rules.miner is first
    setting.configure(miner="Random", random_ratio=0.6, seed=1)
    assert setting.pipeline._rules.miner is not first


def test_before_the_cloud_has_spoken_nothing_is_kept(setting):
    result = setting.one()
    assert (result.kept, result.verdict.reason) == (None, "no miner is set")


def test_a_full_spool_fails_no_request(setting, tmp_path):
    with Spool(tmp_path / "tiny", quota_bytes=10) as spool:
        setting.pipeline = MinerPipeline(setting.slot, spool, "edge-1")
        setting.configure()
        result = setting.one()
    assert (result.kept, result.not_kept) == (None, NotKept.STORAGE)
    assert result.prediction == setting.runtime.prediction
    assert setting.pipeline.counters.snapshot().not_kept == {"storage": 1}


def test_a_disk_that_fails_fails_no_request(setting, tmp_path):
    setting.configure()
    (tmp_path / "spool" / "images").write_text("a file where a folder should be")
    assert setting.one().not_kept is NotKept.STORAGE


def test_limits_hold_for_hard_ones_only_and_repeats_do_not_use_them_up(tmp_path):
    setting = Setting(tmp_path, max_per_hour=2)
    setting.configure(threshold=0.5)
    assert [setting.one(seed).not_kept for seed in (0, 0, 0, 1, 2)] == [
        None, NotKept.KNOWN, NotKept.KNOWN, None, NotKept.BUDGET,
    ]  # fmt: skip
    setting.configure(audit_ratio=1.0)
    assert setting.one(3).kept is Picked.AUDIT
    setting.configure(threshold=0.5)
    setting.clock.advance(3600)
    assert setting.one(2).kept is Picked.HARD
    setting.spool.close()


def test_a_failing_model_is_an_error_and_counted_against_it(setting):
    setting.configure()
    setting.runtime.error = ModelError("broken")
    with pytest.raises(ModelError, match="broken"):
        setting.one()
    assert setting.slot.current.failures_in_a_row == 1
    setting.runtime.error = None
    setting.one()
    assert setting.slot.current.failures_in_a_row == 0


def test_a_label_beyond_the_classes_is_the_models_failure(setting):
    setting.configure()
    setting.runtime.prediction = Prediction(label=99)
    with pytest.raises(ModelError, match="label 99"):
        setting.one()


def test_only_the_wanted_version_answers(setting):
    setting.configure()
    assert setting.pipeline.handle([frame(0)], version=3)[0] == 3
    with pytest.raises(NotFoundError, match="version 3 is"):
        setting.pipeline.handle([frame(0)], version=2)


def test_no_model_is_a_reason_to_come_back(setting):
    setting.slot.close()
    with pytest.raises(NoModelError):
        setting.one()


def test_a_batch_is_answered_by_one_model_in_order(setting):
    setting.configure()
    version, results = setting.pipeline.handle([frame(0), frame(1)])
    assert version == 3
    assert [result.sample_id for result in results] == [sample_id(png(0)), sample_id(png(1))]


@given(st.floats(0, 1), st.integers(0, 1000))
def test_the_draw_for_audit_depends_on_id_and_seed_alone(ratio, seed):
    names = [sample_id(bytes([number])) for number in range(50)]
    drawn = [is_audited(name, ratio, seed) for name in names]
    assert drawn == [is_audited(name, ratio, seed) for name in names]
    assert all(is_audited(name, 1.0, seed) and not is_audited(name, 0.0, seed) for name in names)
    more = [is_audited(name, min(1.0, ratio + 0.1), seed) for name in names]
    assert all(late or not early for early, late in zip(drawn, more, strict=True))


def test_the_draw_has_the_wanted_size():
    names = [sample_id(str(number).encode()) for number in range(5000)]
    shares = [np.mean([is_audited(name, 0.1, seed) for name in names]) for seed in (0, 1)]
    assert all(0.08 < share < 0.12 for share in shares)
    both = np.mean([is_audited(name, 0.1, 0) and is_audited(name, 0.1, 1) for name in names])
    assert both < 0.03


def test_what_miners_read():
    boxes = Prediction(boxes=(Box(x1=1, y1=2, x2=3, y2=4, label=5, score=0.5),))
    assert miner_input(boxes) == [[1, 2, 3, 4, 0.5, 5]]
    assert miner_input(Prediction(probabilities=(0.25, 0.75), label=1)) == [0.25, 0.75]
    assert miner_input(Prediction()) == []
