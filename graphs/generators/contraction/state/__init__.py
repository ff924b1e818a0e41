"""The graph of clusters that splits refine, how a code divides it, and which edges are tokens."""
