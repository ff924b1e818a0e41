"""Masked diffusion of graphs, the control: labels of nodes and pairs are revealed bit by bit."""
