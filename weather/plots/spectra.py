"""Zonal power spectra: do the members hold as much small-scale structure as the truth?"""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from refine_core.errors import InputError
from weather.fields.arrays import Array, Leads
from weather.fields.grid import Grid
from weather.io.compatibility import check_finite
from weather.metrics.spectra import zonal_power
from weather.plots.field import Field, lead_name
from weather.plots.figure import MAIN, OTHERS, panels, save, wave_axis
from weather.plots.map.projections import parallel
from weather.plots.map.wrapped_grid import Surface


def draw_spectra(field: Field, leads: Leads, latitudes: tuple[float, float], path: Path) -> None:
    """Mean power by zonal wavenumber, of members, their mean and the truth; a panel a lead.

    Args:
        field: What to draw.
        leads: Lead times.
        latitudes: Of the southernmost and northernmost row that counts; rows weigh by area.
        path: Of the picture.

    Raises:
        InputError: A value is missing; see also `row_weights`.
    """
    figure, axes = panels([lead_name(lead) for lead in leads], bottom=0.95)
    weight = row_weights(field.grid, latitudes)
    lines: dict[str, dict[str, Any]] = {
        "members": {"color": MAIN, "lw": 0.5, "alpha": 0.6},
        "mean power of members": {"color": MAIN, "lw": 2.0},
        "power of the ensemble mean": {"color": OTHERS[0], "lw": 1.6, "ls": "-."},
    }
    if field.truth is not None:
        lines["truth"] = {"color": "black", "lw": 1.4, "ls": "--"}
    for (axis, name), lead, members in zip(axes, leads, field.members(leads), strict=True):
        check_finite(field.source, members[:, None], [field.channel], field.start + lead)
        power = weight @ zonal_power(members)[..., 1:]
        found = {
            "mean power of members": power.mean(0),
            "power of the ensemble mean": weight @ zonal_power(members.mean(0))[..., 1:],
        }
        truth = field.verifying(lead)
        if truth is not None:
            found["truth"] = weight @ zonal_power(truth)[..., 1:]
        waves = np.arange(1, power.shape[-1] + 1)
        axis.plot(waves, power.T, **lines["members"])
        for each, values in found.items():
            axis.plot(waves, values, **lines[each])
        wave_axis(axis, len(waves))
        axis.set_title(name)
        if axis.get_subplotspec().is_first_col():
            axis.set_ylabel(f"power ({field.display.unit_difference})²")
    handles = [Line2D([], [], **look) for look in lines.values()]
    figure.legend(handles, list(lines), loc="lower center", ncols=4, fontsize=8.5)
    whole = latitudes == (-90.0, 90.0)
    part = "globe" if whole else " to ".join(map(parallel, latitudes))
    heading = f"{field.display.heading}: zonal power spectra, {part}"
    save(figure, path, heading, field.about)


def row_weights(grid: Grid, latitudes: tuple[float, float]) -> Array:
    """(H,) area weights of the rows between two latitudes, of sum 1.

    Raises:
        InputError: There is no such row, or the grid does not go around the globe.
    """
    if not Surface(grid).around:
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
