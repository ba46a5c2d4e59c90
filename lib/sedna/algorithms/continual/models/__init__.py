"""Networks by name and width."""
