"""Graphs in memory, on disk, and to and from other libraries."""
