"""No module of ianvs imports itself by a detour, also not inside a function or for types alone."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_there_is_no_import_cycle() -> None:
    graph = grimp.build_graph("ianvs", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    order = list(TopologicalSorter(imports).static_order())  # raises CycleError, which names the cycle
    assert order.index("ianvs.grammar.findings") < order.index("ianvs.cli")
    assert "ianvs.paradigms.incremental.paradigm" in imports["ianvs.paradigms.incremental"]
