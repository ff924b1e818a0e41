"""Graphs contracted to one cluster, and split again code by code."""
