# ruff: noqa: PTH123
"""Another neighbour of the same name as the algorithm's."""


def label_of(path):
    with open(path) as file:
        return int(file.read())
