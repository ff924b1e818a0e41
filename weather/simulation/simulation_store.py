"""A simulation on disk: a Zarr store of training data that is written chunk by chunk.

It has WeatherBench 2 names and SI units. Values are rounded to multiples of a quantum, a power of
two that is small compared with the change of a field in a day, so that a store takes an eighth of
the space. Beside the incomplete store lies `restart.npz`, which holds the state of the model and
the maps that do not fill a chunk of the store yet. A stop loses only what was simulated since
`restart.npz` was written.
"""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

import dask.array
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, TransposeCodec

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.fields.arrays import Array, Times
from weather.fields.grid import Grid
from weather.fields.variables import STANDARD_NAMES, VARIABLES
from weather.io.partial_store import PartialStore
from weather.simulation.kept_states import KeptStates, ModelState, named, unnamed
from weather.simulation.pressure_levels import UPPER

RAIN = {
    **dict.fromkeys((1, 2, 3, 4, 8, 12), "total_precipitation"),
    6: "total_precipitation_6hr",
    24: "total_precipitation_24hr",
}
"""The name of precipitation since the time before, by the hours between."""
QUANTA = {
    "geopotential": 32.0,
    "temperature": 0.25,
    "u_component_of_wind": 0.5,
    "v_component_of_wind": 0.5,
    "specific_humidity": 2.0**-14,
    "2m_temperature": 0.25,
    "10m_u_component_of_wind": 0.25,
    "10m_v_component_of_wind": 0.25,
    "mean_sea_level_pressure": 32.0,
    "surface_pressure": 32.0,
    **dict.fromkeys(RAIN.values(), 2.0**-16),
}
"""What values are multiples of, by variable, in its units."""
CHUNK = 120
"""Times in a chunk: thirty days of six-hourly maps."""
Maps = dict[str, NDArray[np.float32]]
"""(n, [level], latitude, longitude) by variable."""
Identity = Mapping[str, str | int]


class SimulationStore:
    """The store of a simulation that is not complete yet.

    Args:
        path: Path of the store; ends in .zarr.
        times: (T,) of the maps.
        variables: Names of what it holds at these times, of those in `QUANTA`.
        levels: Pressure levels, in hPa.
        identity: Everything that the values depend on; also the attributes of the store.
        overwrite: Whether another store there is replaced, once the new one is complete.

    Raises:
        InputError: There is a store already, or part of another simulation.
    """

    def __init__(
        self,
        path: Path,
        times: Times,
        variables: tuple[str, ...],
        levels: tuple[int, ...],
        identity: Identity,
        *,
        overwrite: bool = False,
    ) -> None:
        if path.suffix != ".zarr":
            raise InputError(f"Found --out {path}, expected a name that ends in .zarr.")
        self._partial = PartialStore(path, "simulation", "settings, or another version of JCM")
        self._restart = self._partial.folder / "restart.npz"
        self._times, self._identity = times, identity
        self._variables, self._levels = variables, levels
        self.begun = self._partial.continues(identity, overwrite=overwrite)

    def begin(self, grid: Grid, static: dict[str, Array]) -> None:
        """Write the coordinates, and fields (H, W) without time."""
        dataset = self._template(grid, static)
        shutil.rmtree(KeptStates(self._partial.path).folder, ignore_errors=True)  # of another run
        self._partial.begin(dataset, self._identity, {n: _encoding(a) for n, a in dataset.items()})

    def read_restart(self) -> tuple[int, ModelState, Maps]:
        """The arguments of the last `write_restart`; day 0 and nothing before the first.

        Raises:
            InputError: It is damaged.
        """
        try:
            with open(self._restart, "rb") as stream, np.load(stream) as file:
                maps = {name: file[name] for name in QUANTA if name in file}
                return int(file["day"]), unnamed(file), maps
        except FileNotFoundError:
            return 0, [], {}
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise InputError(
                f"{self._restart} is damaged: delete {self._partial.folder} to begin anew."
            ) from None

    def write_restart(self, day: int, state: ModelState, maps: Maps) -> None:
        """Write everything that is needed to go on.

        Args:
            day: Days simulated.
            state: The state of the model.
            maps: (n, ...) that the store does not hold yet.
        """
        with atomic_write(self._restart) as temporary, open(temporary, "wb") as file:
            np.savez(file, day=np.array(day), allow_pickle=False, **named(state), **maps)

    def keep_state(self, time: np.datetime64, state: ModelState) -> None:
        """Write the state of the model at a time, beside the store."""
        KeptStates(self._partial.path).write(time, state)

    def write(self, row: int, maps: Maps) -> None:
        """Write maps (n, ...) of the times from `row` on, which must fill their chunks."""
        group = zarr.open_group(str(self._partial.store), mode="r+", use_consolidated=False)
        for name, values in maps.items():
            array = group[name]
            assert isinstance(array, zarr.Array)
            array[row : row + len(values)] = values

    def _template(self, grid: Grid, static: dict[str, Array]) -> xr.Dataset:
        """The whole store, without the values of variables that have a time."""
        coords = {
            "time": ("time", self._times, {"standard_name": "time", "axis": "T"}),
            "level": (
                "level",
                np.array(self._levels, np.int32),
                _axis("air_pressure", "hPa", "Z") | {"positive": "down"},
            ),
            "latitude": ("latitude", grid.latitude, _axis("latitude", "degrees_north", "Y")),
            "longitude": ("longitude", grid.longitude, _axis("longitude", "degrees_east", "X")),
        }
        where = ("latitude", "longitude")
        variables: dict[str, object] = {
            name: (where, np.asarray(values, np.float32), _attributes(name))
            for name, values in static.items()
        }
        for name in self._variables:
            dims = ("time", "level", *where) if name in UPPER else ("time", *where)
            shape = tuple(len(coords[dim][1]) for dim in dims)
            empty = dask.array.full(  # type: ignore[no-untyped-call]
                shape, np.nan, chunks=(CHUNK, *shape[1:]), dtype=np.float32
            )
            variables[name] = (dims, empty, _attributes(name) | {"quantum": QUANTA[name]})
        about = {
            "Conventions": "CF-1.11",
            "title": f"Simulated global atmosphere, {grid.shape[1]}x{grid.shape[0]} equiangular",
            "institution": "synthetic (simulation)",
            "comment": "values rounded to the power-of-two quantum in each variable; insolation "
            "is daily-mean, so no diurnal cycle; below-ground pressure levels extrapolated",
        }
        dataset = xr.Dataset(variables, coords, about | dict(self._identity))
        dataset["time"].encoding = {
            "units": f"hours since {self._times[0].astype('datetime64[s]')}"
        }
        return dataset

    def finish(self) -> None:
        """Put the complete store in its place."""
        self._partial.finish()

    def close(self) -> None:
        """Let other processes go on with the store."""
        self._partial.release()


def rounded(name: str, maps: Array) -> NDArray[np.float32]:
    """Maps of a variable in multiples of its quantum."""
    quantum = QUANTA[name]
    return np.asarray(np.round(maps / quantum) * quantum, np.float32)


def _axis(name: str, units: str, axis: str) -> dict[str, str]:
    return {"standard_name": name, "units": units, "axis": axis}


def _attributes(name: str) -> dict[str, str]:
    return {
        "units": VARIABLES[name].units,
        "standard_name": STANDARD_NAMES[name],
        "long_name": name.replace("_", " "),
    }


def _encoding(array: xr.DataArray) -> dict[str, object]:
    """How an array is stored: values of successive times side by side, as they differ least."""
    found: dict[str, object] = {
        "compressors": BloscCodec(cname="zstd", clevel=9, shuffle="shuffle")
    }
    if array.dims[0] == "time":
        found["chunks"] = (CHUNK, *array.shape[1:])
        found["filters"] = TransposeCodec(order=(*range(1, array.ndim), 0))
    return found
