"""The inference worker of an edge device: serve a model, keep what it is bad at, take over better models."""
