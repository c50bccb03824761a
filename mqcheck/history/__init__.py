"""What a run records and how it becomes tables."""
