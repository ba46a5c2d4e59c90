"""Continual learning as the training algorithm of an incremental-learning job: each round is a task."""
