"""The version, where upstream's programs look for it."""

__version__ = "0.1.0"
