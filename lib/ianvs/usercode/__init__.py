"""Algorithms and metrics of users: loading them by path, and making what they register."""

from ianvs.usercode.loader import UserCode

__all__ = ["UserCode"]
