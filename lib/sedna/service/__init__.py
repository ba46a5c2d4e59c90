"""Clients of the services that a worker talks to."""
