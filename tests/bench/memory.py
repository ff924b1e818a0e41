"""Memory that commands on weather take by the size of their data, under a limit that holds.

Each command runs in a process of its own, on one thread. `ulimit -d` keeps what it allocates to
`LIMIT` bytes above what its libraries take, so that it fails if it needs more. Measured is the
peak of its resident memory, above that before it starts: `results/bench/memory.png`.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from refine_core.app.cli import main
from refine_core.app.figures import house_style, save
from refine_core.config.schema import dump
from tests.weather.synthetic import atmosphere, config, times
from weather.config import WeatherConfig

OUT = Path(__file__).parents[2] / "results" / "bench"
LIMIT = 600 * 10**6
SHARES = (0.25, 1.0, 2.0)
"""Bytes of data, as shares of the limit."""
GRID = (64, 128)
MEMBERS, LEADS, APART = 20, 10, 6
"""Members and days of a forecast, and days from one start to the next."""
NAMES = ["2m_temperature", "mean_sea_level_pressure"]
DAY = np.timedelta64(24 * 3600 * 10**9, "ns")
MAP = 4 * GRID[0] * GRID[1]


def bench() -> dict[str, float]:
    """Peaks and data over the limit by command and size; also draws the figure; minutes."""
    found: dict[str, list[tuple[float, float]]] = {}
    for name, (write, _) in COMMANDS.items():
        for share in SHARES:
            with tempfile.TemporaryDirectory() as folder:
                nbytes = write(Path(folder), round(share * LIMIT))
                command = [sys.executable, "-m", "tests.bench.memory", name, folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                peak = json.loads(done.stdout.splitlines()[-1])
                found.setdefault(name, []).append((nbytes / LIMIT, peak / LIMIT))
                print(name, f"{nbytes / 1e6:.0f} MB of data, peak {peak / 1e6:.0f} MB", flush=True)
    plot(found, OUT / "memory.png")
    return {
        f"{name}: peak / limit, data {data:.2f} of it": peak
        for name, points in found.items()
        for data, peak in points
    }


def plot(found: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Plot the peak of memory over the size of the data, both in MB."""
    from matplotlib.figure import Figure

    with house_style():
        figure = Figure(figsize=(5, 3.4), layout="constrained")
        axes = figure.subplots()
        for name, points in found.items():
            data, peak = np.array(points).T * LIMIT / 1e6
            axes.plot(data, peak, "o-", label=f"refine weather {name}")
        axes.axhline(LIMIT / 1e6, color="grey", linestyle="--", label="limit of the process")
        axes.set(xlabel="data, MB", ylabel="peak above libraries, MB", xlim=(0, None))
        axes.set_ylim(0, 1.1 * LIMIT / 1e6)
        axes.legend()
        save(figure, path)


def measure(run: Callable[[], None]) -> int:
    """Bytes of resident memory at the peak of a call above those before it, under the limit."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
    before, taken = _status("VmRSS"), _status("VmData")
    resource.setrlimit(resource.RLIMIT_DATA, (taken + LIMIT, taken + LIMIT))
    run()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """Bytes that the system has under a name for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024


def write_states(folder: Path, nbytes: int) -> int:
    """Write states of about so many bytes, and a config that prepares them; returns the bytes."""
    path, each = folder / "states.zarr", 4 * 7 * MAP  # bytes of a day, with forcing
    when = times(nbytes // each)
    for first in range(0, len(when), 100):
        _append(path, atmosphere(when[first : first + 100], h=GRID[0], w=GRID[1]), 25)
    days = [str(when[4 * place].astype("datetime64[D]")) for place in (0, -31, -27, -16, -12, -1)]
    train, validation, test = days[:2], days[2:4], days[4:]
    parts = {"train": tuple(train), "validation": tuple(validation), "test": tuple(test)}
    (folder / "c.yaml").write_text(dump(WeatherConfig(data=config(path, **parts))))
    return len(when) // 4 * each


def write_forecast(folder: Path, nbytes: int) -> int:
    """Write a forecast of about so many bytes, and the truth; returns the bytes of both.

    There is no history, which would take as much memory whatever the number of starts.
    """
    each = len(NAMES) * MEMBERS * LEADS * MAP
    inits = times(1)[0] + APART * np.arange(nbytes // each) * DAY
    when = times(1)[0] + np.arange(APART * len(inits) + LEADS) * DAY
    generator = np.random.default_rng(0)
    for first in range(0, len(when), 100):
        truth = atmosphere(when[first : first + 100], h=GRID[0], w=GRID[1])[NAMES]
        _append(folder / "truth.zarr", truth, 25)
    lead = np.arange(1, LEADS + 1) * DAY
    for init in inits:
        shape = (1, MEMBERS, LEADS, *GRID)
        dims = ("time", "number", "prediction_timedelta", "latitude", "longitude")
        future = atmosphere(init + lead, h=GRID[0], w=GRID[1])[NAMES]
        fields = {
            name: (dims, (future[name].values + 2 * generator.normal(size=shape)).astype("f4"))
            for name in NAMES
        }
        places = {name: future[name] for name in ("latitude", "longitude")}
        made = xr.Dataset(fields, {"time": [init], "prediction_timedelta": lead, **places})
        _append(folder / "forecast.zarr", made, 1)
    return len(inits) * each + len(when) * len(NAMES) * MAP


def _append(path: Path, part: xr.Dataset, chunk: int) -> None:
    """Write the next times to a store, uncompressed."""
    if path.exists():
        moving = [name for name in part.data_vars if "time" in part[name].dims]
        part[moving].to_zarr(path, append_dim="time", zarr_format=3, consolidated=False)
        return
    encoding: dict[object, dict[str, object]] = {
        name: {"chunks": (chunk, *part[name].shape[1:]), "compressors": None}
        for name in part.data_vars
        if "time" in part[name].dims
    }
    part.to_zarr(path, encoding=encoding, zarr_format=3, consolidated=False)


def prepare(folder: Path) -> None:
    """Run `refine weather prepare`."""
    os.environ["REFINE_CACHE"] = str(folder / "cache")
    main(["weather", "prepare", "--config", str(folder / "c.yaml"), "--workers", "1"])


def verify(folder: Path) -> None:
    """Run `refine weather verify`."""
    paths = [str(folder / "forecast.zarr"), "--truth", str(folder / "truth.zarr")]
    options = ["--regions", "global", "--workers", "1", "--out", str(folder / "verified")]
    main(["weather", "verify", *paths, *options])


COMMANDS = {"prepare": (write_states, prepare), "verify": (write_forecast, verify)}
"""What writes the data of a command, and what runs it."""

if __name__ == "__main__":
    if len(sys.argv) == 3:
        name, place = sys.argv[1:]
        print(measure(lambda: COMMANDS[name][1](Path(place))))
    else:
        print(bench())
