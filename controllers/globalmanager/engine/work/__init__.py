"""Work: orders for workers, and what becomes of their results."""
