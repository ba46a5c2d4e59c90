"""Ianvs yaml as frozen, validated values. ``load_benchmark`` reads a job with everything it refers to."""

from ianvs.grammar.algorithm import Algorithm, Combination, Module, ModuleChoice
from ianvs.grammar.job import Benchmark, BenchmarkingJob, load_benchmark
from ianvs.grammar.rank import RankConfig
from ianvs.grammar.testenv import DatasetConfig, MetricConfig, ModelEval, TestEnv

__all__ = [
    "Algorithm",
    "Benchmark",
    "BenchmarkingJob",
    "Combination",
    "DatasetConfig",
    "MetricConfig",
    "ModelEval",
    "Module",
    "ModuleChoice",
    "RankConfig",
    "TestEnv",
    "load_benchmark",
]
