"""Protocols, runs and reports of the continual-learning benchmark."""
