"""Files that are whole or absent, checkpoints, fetched archives and trained models."""
