"""Maps: projections, extents, coastlines."""
