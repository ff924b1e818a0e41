"""A circulation model in a few lines, to simulate with."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weather.fields.arrays import Array
from weather.fields.grid import Grid
from weather.simulation.pressure_levels import Columns

SIGMA = np.array([0.2, 0.5, 0.8, 0.95])
GAUSSIAN = np.rad2deg(np.arcsin(np.polynomial.legendre.leggauss(12)[0]))


class Waves:
    """A model whose chaotic state shifts its maps."""

    def __init__(self, start: np.datetime64, hours: int, seed: int) -> None:
        self.grid = Grid(GAUSSIAN, np.arange(24) * 15.0)
        self.sigma: Array = SIGMA
        wave = np.cos(np.deg2rad(GAUSSIAN))[:, None] * np.cos(np.deg2rad(self.grid.longitude))
        self.wave: Array = wave
        self.land: Array = np.asarray(wave > 0, float)
        self.surface_geopotential: Array = 9000 * np.maximum(wave, 0)
        self.count, self.at = 24 // hours, 0.1 + 0.01 * seed
        self.days = 0

    def advance(self) -> Columns:
        self.days += 1
        shifts = []
        for _ in range(self.count):
            self.at = 3.9 * self.at * (1 - self.at)
            shifts.append(self.at)
        return self._columns(np.array(shifts)[:, None, None])

    def now(self) -> Columns:
        columns = self._columns(np.array([[[self.at]]]))
        return replace(columns, precipitation=np.full_like(columns.precipitation, np.nan))

    def perturb(self, size: float, generator: np.random.Generator) -> None:
        self.at *= 1 + size * float(generator.uniform(-1, 0))  # stays in the basin of the chaos

    def _columns(self, shift: Array) -> Columns:
        surface = 101000 * np.exp(-self.surface_geopotential / 78000) + 500 * shift
        depth = np.log(SIGMA[:, None, None] * surface[:, None] / 101325)
        wave = (shift * self.wave)[:, None]
        return Columns(
            geopotential=-78000 * depth + 900 * wave,
            temperature=288 + 30 * depth + 9 * wave,
            u_component_of_wind=9 + 20 * wave - 5 * depth,
            v_component_of_wind=9 * wave - depth,
            specific_humidity=0.01 * np.exp(3 * depth) + 0 * wave,
            surface_pressure=surface,
            near_surface_temperature=285 + 5 * shift * self.wave,
            near_surface_u=4 + 9 * shift * self.wave,
            near_surface_v=5 * shift * self.wave,
            precipitation=0.01 * np.maximum(shift * self.wave, 0),
        )

    def state(self) -> list[NDArray[Any]]:
        return [np.array(self.at)]

    def restore(self, state: list[NDArray[Any]]) -> None:
        self.at = float(state[0])
