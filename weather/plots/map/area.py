"""Values and means over what a map shows."""

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.plots.map.projections import View, visible


class Area:
    """The part of a grid that a view shows."""

    def __init__(self, grid: Grid, view: View) -> None:
        self._inside = visible(view, grid)
        self._weight = np.broadcast_to(grid.area()[:, None], grid.shape)[self._inside]

    def inside(self, values: Array) -> Array:
        """The part of values (..., H, W)."""
        return np.asarray(values[(..., *self._inside)])

    def mean(self, values: Array) -> float:
        """Mean over the area of all values (H, W) that are known."""
        shown = self.inside(values)
        known = np.isfinite(shown)
        return float(np.average(shown[known], weights=self._weight[known]))
