"""Metrics: functions of users on answers, and system metrics on what was observed."""
