"""What every other part of Sedna stands on: registry, configuration, errors, value objects, files, log."""
