"""Graphs: iterative refinement over coarsenings of a graph."""
