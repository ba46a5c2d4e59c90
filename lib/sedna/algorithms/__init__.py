"""Names of the built-in algorithms and the modules that define them.

Adding a method: write its module, register it there with ``@ClassFactory.register``, and add one line to
``BUILT_IN``.
"""

from sedna.common.class_factory import ClassFactory, ClassType

__all__ = ["BUILT_IN", "CONFIGURATIONS"]

_MINERS = "sedna.algorithms.hard_example_mining"
_CONTINUAL = "sedna.algorithms.continual.methods"

BUILT_IN: tuple[tuple[str, str, str], ...] = (
    (ClassType.HEM, "Threshold", f"{_MINERS}.threshold"),
    (ClassType.HEM, "CrossEntropy", f"{_MINERS}.cross_entropy"),
    (ClassType.HEM, "IBT", f"{_MINERS}.ibt"),
    (ClassType.HEM, "Random", f"{_MINERS}.random"),
    (ClassType.HEM, "CloudOnly", f"{_MINERS}.constant"),
    (ClassType.HEM, "EdgeOnly", f"{_MINERS}.constant"),
    (ClassType.GENERAL, "FPN", "sedna.algorithms.detection.fpn"),
    (ClassType.GENERAL, "EdgeHML", "sedna.algorithms.continual.job.estimator"),
    (ClassType.ALGORITHM, "SFT", f"{_CONTINUAL}.sft"),
    (ClassType.ALGORITHM, "independent", f"{_CONTINUAL}.independent"),
    (ClassType.ALGORITHM, "joint", f"{_CONTINUAL}.joint"),
    (ClassType.ALGORITHM, "ER", f"{_CONTINUAL}.er"),
    (ClassType.ALGORITHM, "DER", f"{_CONTINUAL}.der"),
    (ClassType.ALGORITHM, "DER++", f"{_CONTINUAL}.derpp"),
    (ClassType.ALGORITHM, "SI", f"{_CONTINUAL}.si"),
    (ClassType.ALGORITHM, "SI-path", f"{_CONTINUAL}.si_path_integral"),
    (ClassType.ALGORITHM, "oEWC", f"{_CONTINUAL}.oewc"),
    (ClassType.ALGORITHM, "PNN", f"{_CONTINUAL}.pnn"),
    (ClassType.ALGORITHM, "CCIC", f"{_CONTINUAL}.ccic"),
    (ClassType.ALGORITHM, "EdgeHML", f"{_CONTINUAL}.edgehml"),
    (ClassType.ALGORITHM, "EdgeHML++", f"{_CONTINUAL}.edgehml_plus"),
)
"""(type, alias, module) of every built-in; the module is imported when the alias is first asked for."""

CONFIGURATIONS: dict[str, tuple[str, str]] = {
    "FPN": ("sedna.algorithms.detection.config", "FPNConfig"),
    "EdgeHML": ("sedna.algorithms.continual.job.config", "JobConfig"),
}
"""Alias of an algorithm of jobs: module and class of its configuration. Neither needs torch: a service that starts its
workers elsewhere has none, and checks what it is handed all the same."""

for _type_name, _alias, _module in BUILT_IN:
    ClassFactory.register_lazy(_type_name, _alias, _module)
