"""Grids, channels, variables, units and climatology."""
