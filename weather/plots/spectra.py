"""Zonal power spectra: whether members have as much small-scale structure as the truth."""

from pathlib import Path

import numpy as np

from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.fields.grid import Grid
from weather.io.compatibility import check_finite
from weather.metrics.spectra import zonal_power
from weather.plots.figure import (
    MAIN,
    OTHERS,
    Line,
    add_legend,
    is_leftmost,
    panels,
    save_with_heading,
    wavenumber_axis,
)
from weather.plots.forecast_field import ForecastField, lead_name
from weather.plots.map.projections import parallel
from weather.plots.map.wrapped_grid import WrappedGrid

MEMBER = Line(MAIN, 0.5, alpha=0.6)
MEAN_POWER = Line(MAIN, 2.0)
POWER_OF_MEAN = Line(OTHERS[0], 1.6, "-.")
TRUTH = Line("black", 1.4, "--")


def plot_spectra(
    field: ForecastField, leads: Leads, latitudes: tuple[float, float], path: Path
) -> None:
    """Mean power by zonal wavenumber, of members, their mean and the truth; a panel a lead time.

    Args:
        field: What to plot.
        leads: Lead times.
        latitudes: Southernmost and northernmost latitude of the rows that count, weighted by area.
        path: Path of the picture.

    Raises:
        InputError: A value is missing; see also `row_weights`.
    """
    figure, axes = panels([lead_name(lead) for lead in leads], bottom=0.95)
    weight = row_weights(field.grid, latitudes)
    for (axis, name), lead, members in zip(axes, leads, field.members(leads), strict=True):
        check_finite(field.source, members[:, None], [field.channel], field.start + lead)
        power = weight @ zonal_power(members)[..., 1:]
        waves = np.arange(1, power.shape[-1] + 1)
        for each in power:
            MEMBER.plot(axis, waves, each)
        MEAN_POWER.plot(axis, waves, power.mean(0))
        POWER_OF_MEAN.plot(axis, waves, weight @ zonal_power(members.mean(0))[..., 1:])
        truth = field.truth_at(lead)
        if truth is not None:
            TRUTH.plot(axis, waves, weight @ zonal_power(truth)[..., 1:])
        wavenumber_axis(axis, len(waves))
        axis.set_title(name)
        if is_leftmost(axis):
            axis.set_ylabel(f"power ({field.display.unit_difference})²")
    lines = {
        "members": MEMBER,
        "mean power of members": MEAN_POWER,
        "power of the ensemble mean": POWER_OF_MEAN,
    }
    add_legend(figure, lines | ({"truth": TRUTH} if field.truth is not None else {}), 4)
    whole = latitudes == (-90.0, 90.0)
    part = "globe" if whole else " to ".join(map(parallel, latitudes))
    heading = f"{field.display.heading}: zonal power spectra, {part}"
    save_with_heading(figure, path, heading, field.description)


def row_weights(grid: Grid, latitudes: tuple[float, float]) -> Array:
    """(H,) area weights of the rows between two latitudes, of sum 1.

    Raises:
        InputError: There is no such row, or the grid does not go around the globe.
    """
    if not WrappedGrid(grid).is_global:
        raise InputError(
            "The forecast does not go around the globe, which zonal spectra need: choose other "
            "pictures with --kind."
        )
    south, north = latitudes
    weight = grid.area() * ((grid.latitude >= south) & (grid.latitude <= north))
    if not weight.any():
        raise InputError(
            f"Found --latitudes {south:g} {north:g}, but no row of the grid lies between: choose "
            "others."
        )
    return np.asarray(weight / weight.sum())
