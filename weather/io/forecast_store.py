"""Forecasts on disk: one Zarr store, written member by member.

Until the last member is written, the store stands in `<name>.partial`, with a mark for each
member that is complete; then it is moved to its place. So a stop loses only the members under way,
an incomplete store never looks complete, and a run that was continued leaves the same bytes as one
that was not.
"""

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from refine_core.errors import InputError
from refine_core.storage.files import atomic_write
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.io.forecast_layout import NAMES, ForecastLayout, Layout
from weather.io.partial_store import PartialStore

MARKS = "members"
CHUNKS = {"time": 1, "number": 1}
"""Length of a chunk unless told otherwise: one member from one initial time."""


class ForecastStore:
    """An ensemble forecast that is being written; see `open`."""

    def __init__(self, path: Path, layout: ForecastLayout, quanta: Sequence[float]) -> None:
        if path.suffix not in (".zarr", ".nc"):
            raise InputError(f"Found {path}, expected a forecast's name to end in .zarr or .nc.")
        self.path, self.layout = path, layout
        self._partial = PartialStore(
            path, "forecast", "states, times, members, model, seed, chunks or precision"
        )
        self.partial = self._partial.store
        self._quanta = np.array(quanta, np.float64)[:, None, None]

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        grid: Grid,
        channels: Sequence[Channel],
        times: NDArray[np.datetime64],
        members: int,
        leads: Sequence[int],
        identity: Mapping[str, object],
        about: Mapping[str, object] | None = None,
        chunks: Mapping[str, int] | None = None,
        quanta: Sequence[float] = (),
        kind: Layout = "weatherbench2",
        overwrite: bool = False,
    ) -> "ForecastStore":
        """Begin a store, or continue one.

        Args:
            path: Path of the store; ends in .zarr, or in .nc for one netCDF file in the end.
            grid: The grid of the maps.
            channels: C predicted maps.
            times: Initial times.
            members: Number of members of the ensemble.
            leads: Lead times, in hours.
            identity: What else the values depend on (the model, the seed); kept as attributes.
            about: Other attributes.
            chunks: Length of a chunk along dimensions; of 1 in time and number by default,
                undivided along others.
            quanta: What values are rounded to multiples of, by channel; by default they are not.
            kind: Whose names the dimensions have.
            overwrite: Whether another store there is replaced, once the new one is complete.

        Raises:
            InputError: There is a store already, or part of another forecast, or another process
                writes it.
        """
        layout = ForecastLayout(grid, channels, times, range(members), leads, kind)
        store, chunks = cls(path, layout, quanta), CHUNKS | dict(chunks or {})
        names = [channel.name for channel in channels]
        wanted = [identity, [str(t) for t in times], members, list(leads), names]
        wanted += [chunks, list(quanta), *([] if kind == "weatherbench2" else [kind])]
        if not store._partial.continues(wanted, overwrite=overwrite):
            try:
                store._begin({**identity, **(about or {})}, wanted, chunks)
            except BaseException:
                store.close()
                raise
        return store

    def _begin(
        self, about: Mapping[str, object], wanted: object, chunks: Mapping[str, int]
    ) -> None:
        """Write the store without values."""
        dataset, channels = self.layout.empty(dict(about)), self.layout.channels
        for place, quantum in enumerate(self._quanta.ravel().tolist()):
            dataset[channels[place].variable].attrs.setdefault("quanta", []).append(quantum)
        names = NAMES[self.layout.kind]
        lengths = {names.get(dim, dim): length for dim, length in chunks.items()}
        encoding = {name: _encoding(array, lengths) for name, array in dataset.items()}
        self._partial.begin(dataset, wanted, encoding)

    def close(self) -> None:
        """Let other processes go on with the store."""
        self._partial.release()

    def pending(self) -> list[tuple[int, int]]:
        """Initial time and member of each member that is not written yet."""
        return [
            (time, member)
            for time in range(len(self.layout.times))
            for member in self.layout.members
            if not self.mark(time, member).exists()
        ]

    def write(
        self, time: int, members: Sequence[int], states: NDArray[np.float32], first: int = 0
    ) -> None:
        """Write members of an initial time, or some of their leads; the last ones come last.

        Args:
            time: Place of the initial time.
            members: Names of m members.
            states: (m, l, C, H, W) in SI units, of l leads.
            first: Place of the first of these leads.
        """
        leads = slice(first, first + states.shape[1])
        if len(self._quanta):
            states = (np.round(states / self._quanta) * self._quanta).astype(np.float32)
        group = zarr.open_group(str(self.partial), mode="r+", use_consolidated=False)
        for name, values in self.layout.by_variable(states).items():
            array = group[name]
            assert isinstance(array, zarr.Array)
            array.oindex[time, np.array(members), leads] = values
        for member in members if leads.stop == len(self.layout.leads) else ():
            with atomic_write(self.mark(time, member)) as mark:
                mark.touch()

    def finish(self) -> None:
        """Move the complete store to its place."""
        self._partial.finish()
        self.close()

    def mark(self, time: int, member: int) -> Path:
        """The file that says that a member of an initial time is written."""
        return self._partial.folder / MARKS / f"{time}.{member}"


def _encoding(array: xr.DataArray, chunks: Mapping[str, int]) -> Mapping[Hashable, object]:
    """Chunks, and a compressor that takes bytes of equal weight together."""
    lengths = [min(size, chunks.get(str(dim), size)) for dim, size in array.sizes.items()]
    compressor = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
    return {"chunks": lengths, "compressors": [compressor]}
