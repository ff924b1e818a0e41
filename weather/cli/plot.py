"""`refine weather plot`: the pictures that a forecaster expects of an ensemble."""

from pathlib import Path
from typing import Literal

import tyro

from refine_core.app.options import arguments


def plot(argv: list[str]) -> None:
    """Draw an ensemble forecast: maps, members, a meteogram, spectra, an animation."""

    def run(
        forecast: tyro.conf.Positional[str],
        kind: tuple[
            Literal["all", "maps", "stamps", "spaghetti", "spectra", "animation", "meteogram"], ...
        ] = ("all",),
        variable: tuple[str, ...] = (),
        leads: tuple[float, ...] = (),
        time: str = "",
        truth: str | None = None,
        point: tuple[float, float] | None = None,
        view: Literal["globe", "north", "south"] | None = None,
        latitudes: tuple[float, float] | None = None,
        longitudes: tuple[float, float] | None = None,
        contours: tuple[float, ...] = (),
        out: Path = Path("pictures"),
    ) -> None:
        """Draw a forecast, and print the path of each picture.

        Pictures of that name that are there already are replaced.

        Args:
            forecast: Path or URL of an ensemble forecast, ours or in WeatherBench 2's layout.
            kind: Which pictures; all leave out spectra where the grid is a part of the globe.
            variable: Such as geopotential or 2m_temperature; by default geopotential_500 and
                2m_temperature, or the first of the file, and six in the meteogram.
            leads: Lead times in days; by default up to four, the last of them for the stamps. The
                meteogram and the animation show all.
            time: Initial time, e.g. 2003-11-01T00; by default the last in the file, or the last
                that the truth covers.
            truth: Path or URL of what happened, on the same grid, to be drawn beside it.
            point: Latitude and longitude of the meteogram; by default where members differ most.
            view: What maps show: by default the globe, and the north of it for the spaghetti.
            latitudes: South and north end of maps, e.g. 30 75, and of the rows in the spectra.
            longitudes: West and east end of maps, e.g. -30 45.
            contours: Values of the spaghetti, in the unit of the picture: geopotential as height
                in dam, temperature in degrees Celsius, pressure in hPa.
            out: Folder for the pictures.
        """
        from weather.plots.album import Album, Wanted
        from weather.plots.forecast_run import Run

        opened = Run.open(forecast, truth, variable, time)
        wanted = Wanted(
            kinds=() if "all" in kind else kind,
            named=bool(variable),
            leads=leads,
            point=point,
            view=view or "",
            latitudes=latitudes,
            longitudes=longitudes,
            contours=contours,
        )
        for path in Album(opened, wanted, out).draw():
            print(path, flush=True)

    arguments(run, argv, "refine weather plot")
