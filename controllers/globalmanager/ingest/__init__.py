"""Taking things in: samples that edges upload, files that a Dataset names, labels that people bring."""
