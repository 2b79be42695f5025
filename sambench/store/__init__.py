"""What a run leaves on disk, and what it is: plan, code, records, paths."""
