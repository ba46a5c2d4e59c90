"""Ianvs yaml as frozen, validated values. ``load_benchmark`` reads a job with everything it refers to."""

from ianvs.grammar.algorithm import AlgorithmConfig, Combination, Module, ModuleChoice
from ianvs.grammar.benchmark import BenchmarkDraft, load_benchmark, read_benchmark
from ianvs.grammar.findings import BenchmarkError, Findings
from ianvs.grammar.job import Benchmark, BenchmarkingJob
from ianvs.grammar.rank import RankConfig
from ianvs.grammar.testenv import DatasetConfig, MetricConfig, ModelEval, TestEnv

__all__ = [
    "AlgorithmConfig",
    "Benchmark",
    "BenchmarkDraft",
    "BenchmarkError",
    "BenchmarkingJob",
    "Combination",
    "DatasetConfig",
    "Findings",
    "MetricConfig",
    "ModelEval",
    "Module",
    "ModuleChoice",
    "RankConfig",
    "TestEnv",
    "load_benchmark",
    "read_benchmark",
]
