"""How good generated molecules and graphs are: `evaluate_molecules` and `evaluate_graphs`.

The first needs RDKit, `graphs.metrics.molecules`; the second `graphs.metrics.generic` does not.
"""
