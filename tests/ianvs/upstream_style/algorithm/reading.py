# ruff: noqa: PTH123
"""A neighbour that the basemodel imports by its bare name."""


def number_of(path):
    with open(path) as file:
        return float(file.read())
