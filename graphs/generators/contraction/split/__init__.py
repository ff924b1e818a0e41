"""How a cluster splits: the distribution of its parts and edges."""
