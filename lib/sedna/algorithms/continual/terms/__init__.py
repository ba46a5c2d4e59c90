"""Semi-supervised loss terms that any method can carry."""
