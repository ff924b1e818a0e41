"""Scores of graphs without labels, directed or not: descriptors, and distances of their laws."""
