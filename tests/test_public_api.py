"""The public names of every package. A change of ``PINNED`` is a change of what others build on."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

PINNED = {
    "sedna": """
        __version__ algorithms
    """,
    "sedna.algorithms.active_learning": """
        SCORES committee_entropy entropy k_center least_confidence margin recorded_class recorded_score select
        select_per_class
    """,
    "sedna.algorithms.detection": """
        BaseModel FPNConfig OnnxDetector TrainingProgress
    """,
    "sedna.algorithms.hard_example_mining": """
        BaseFilter BoxFilter CloudOnlyFilter CrossEntropyFilter EdgeOnlyFilter IBTFilter RandomFilter
        ThresholdFilter verdict_of
    """,
    "sedna.backend": """
        PLAIN BackendBase set_backend
    """,
    "sedna.core.incremental_learning": """
        IncrementalLearning
    """,
    "sedna.datasources": """
        BaseDataSource CSVDataParse JSONDataParse JsonlDataParse TxtDataParse read_pictures
    """,
    "sedna.edge": """
        DesiredJob DesiredMiner DropPolicy EdgeCounters EdgeDesired EdgeHeartbeat EdgeJobStatus EdgeLink
        EdgeServer EdgeSettings EdgeWorker HttpEdgeLink ModelRuntime ModelSlot ServerLimits SlotStatus
        Spool Uploader UploaderSettings open_runtime serve
    """,
    "sedna.core.staging": """
        Attempt NodeCache OrderedModel ProgramState ServiceLink WorkFolder WorkOrder WorkResult WorkerAccess load_result
        run stage_in store_result
    """,
    "sedna.edge.runtime": """
        ModelRuntime open_runtime
    """,
    "sedna.edge.spool": """
        DropPolicy JobSpoolCounts RefusedSample Spool SpoolEntry SpoolState SpoolStats
    """,
    "sedna.labels": """
        Clipped CocoIds CocoRead FolderFiles ImageLabels LabelFiles LabelItem LabelReport LabelSet
        LabelledImage LabelsRead Mode OneFile Skipped read_coco read_labels read_txt read_voc validate
        write_coco write_txt write_voc write_yolo
    """,
    "sedna.loop": """
        AuditMetrics Check Comparison Dataset Decision DecisionKind EdgeObservation Evaluation GateOutcome
        GateVerdict IncrementalLearningJob Interval JobSpec JobState ManualRequest Model ModelScores
        Observation Outcome RoundKind RoundState RoundSummary SampleCounts SampleScore Stage
        WorkerObservation WorkerPhase audit_metrics count_sample decide evaluate_trigger initial_state
        judge match_boxes paired_bootstrap part_of
    """,
    "sedna.store": """
        FolderStore ObjectInfo ObjectStore S3Settings Source check_key open_store
    """,
    "localcontroller": """
        HotUpdate HttpReportSink LocalController LocalControllerSettings ReportSink WorkerReport
    """,
    "globalmanager.cli": """
        main
    """,
    "globalmanager.db": """
        Database
    """,
    "globalmanager.engine": """
        Engine EngineSeams
    """,
    "globalmanager.ingest": """
        ImportReport ImportWish accept_sample import_labels receive_sample
    """,
    "globalmanager.labelling": """
        Oracle Order QueuedSample label_sample labelling_queue
    """,
    "globalmanager.runtimes": """
        LogPart ProcessRuntime RunPhase WorkerHandle WorkerRuntime WorkerSpec WorkerStatus
    """,
    "sedna.algorithms": "BUILT_IN CONFIGURATIONS",
}
ROOTS = ("sedna", "ianvs", "localcontroller", "globalmanager")


def packages() -> Iterator[str]:
    for root in ROOTS:
        yield root
        path = importlib.import_module(root).__path__
        yield from (found.name for found in pkgutil.walk_packages(path, f"{root}.") if found.ispkg)


def source(package: str) -> ast.Module:
    file = importlib.import_module(package).__file__
    assert file is not None
    return ast.parse(Path(file).read_text())


def offered(package: str, body: list[ast.stmt]) -> Iterator[str]:
    """What an ``__init__`` defines, or takes from its own rooms, at its top level; helpers from elsewhere are not its
    own."""
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{package}."):
            yield from (alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.With | ast.If | ast.Try):
            yield from offered(package, node.body)


def order(name: str) -> tuple[bool, bool, str]:
    """Constants, classes, functions; each by name."""
    return not name.isupper(), not name[0].isupper(), name


@pytest.mark.parametrize("package", sorted({*packages()}))
def test_all_is_complete_and_sorted(package):
    public = {name for name in offered(package, source(package).body) if not name.startswith("_")}
    listed = list(getattr(importlib.import_module(package), "__all__", []))
    assert public <= set(listed)
    assert listed == sorted(listed, key=order)
    assert len(listed) == len(set(listed))


@pytest.mark.parametrize("package", PINNED)
def test_the_public_names_are_these(package):
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PINNED[package].split())
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
