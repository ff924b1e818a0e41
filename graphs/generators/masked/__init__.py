"""Masked diffusion of graphs, the control: hidden labels of nodes and pairs are revealed."""
