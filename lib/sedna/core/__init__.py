"""The jobs that user programs build: training, evaluation and inference of one model, reported to the platform."""
