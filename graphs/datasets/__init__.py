"""Named sets, files and random families of graphs, their splits and properties."""
