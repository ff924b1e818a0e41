"""What a batch of weather costs: from prepared arrays, over reading its maps from a Zarr store.

`shuffled`: starts drawn at random, as in training; `in order`: one after the other, where a Zarr
store reads whole chunks. The store is read with zarr alone, and nothing is normalised.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
import zarr

from tests.bench.timing import ratio
from tests.weather.synthetic import atmosphere, config, times
from weather.data.preparation import prepare
from weather.data.windows import Windows

BATCH, DAYS, CHUNK = 32, 366, 40
NAMES = ("geopotential", "temperature", "2m_temperature", "mean_sea_level_pressure")


def bench() -> dict[str, float]:
    """Ratios by name; half a minute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "states.zarr"
        source = atmosphere(times(DAYS), h=32, w=64).chunk(time=CHUNK)
        source.to_zarr(path, zarr_format=3, consolidated=False)
        days = {"train": ("2000-01-01", "2000-10-31"), "validation": ("2000-11-16", "2000-11-30")}
        data = config(path, **days, test=("2000-12-16", "2000-12-31"), forcing=())
        windows = Windows(prepare(data, Path(folder) / "prepared", quiet=True), "train")
        store = zarr.open_group(str(path), mode="r")
        arrays = [store[name] for name in NAMES]
        generator = torch.Generator().manual_seed(0)

        def rows(index: torch.Tensor) -> np.ndarray:
            start = windows.starts[index.numpy()]
            return np.unique(np.concatenate([start - 2, start, start + 2]))

        def drawn() -> torch.Tensor:
            return torch.randint(len(windows), (BATCH,), generator=generator)

        def place() -> torch.Tensor:
            first = torch.randint(len(windows) - BATCH, (1,), generator=generator)
            return first + torch.arange(BATCH)

        return {
            name: ratio(
                lambda choose=choose: windows[choose()],  # type: ignore[misc]
                lambda choose=choose: [a.oindex[rows(choose())] for a in arrays],  # type: ignore
                seconds=6,
            )
            for name, choose in (
                ("shuffled batch / Zarr read", drawn),
                ("batch in order / Zarr read", place),
            )
        }


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(bench())
