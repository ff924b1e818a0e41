"""What is known of data before they are prepared: grid, times and windows."""

from dataclasses import dataclass

import numpy as np

from refine_core.errors import InputError
from weather.data.checks import BLOCK
from weather.data.config import DataConfig
from weather.data.time_parts import PARTS, Part, TimeParts, bounds
from weather.fields.arrays import Times
from weather.fields.grid import Grid
from weather.io.source import Source


@dataclass(frozen=True)
class Outline:
    """What is known of data before they are prepared.

    Args:
        grid: The grid of all maps.
        states: States in all parts.
        windows: Windows of a step in each part.
        block: Bytes of maps that are read at once.
        channels: C predicted maps.
        forcing: F maps known in advance.
        statics: Fields without time.
        history: Past states in the input of a step.
        state: S channels of a state.
        known: Whether the times are those of the source.
    """

    grid: Grid
    states: int
    windows: dict[Part, int]
    block: int
    channels: int
    forcing: int
    statics: int
    history: int
    state: int
    known: bool

    @property
    def map_bytes(self) -> int:
        """Bytes of one map."""
        return 4 * self.grid.shape[0] * self.grid.shape[1]

    @property
    def state_bytes(self) -> int:
        """Bytes of all predicted maps of one time."""
        return self.channels * self.map_bytes

    @property
    def window_bytes(self) -> int:
        """Bytes of one window of a step."""
        return ((self.history + 1) * self.channels + self.forcing) * self.map_bytes

    @property
    def disk(self) -> int:
        """Bytes of the prepared data."""
        maps = self.states * (self.channels + self.forcing) + self.statics
        return maps * self.map_bytes + 8 * self.states


def outline(config: DataConfig, grid: Grid | None, interval_hours: int | None) -> Outline:
    """Look at coordinates and times of a source; without one, take the grid and the config's days.

    Args:
        config: The data.
        grid: The grid, in place of that of the source.
        interval_hours: Hours between states where there is no source; by default a step.

    Raises:
        InputError: There is neither a source nor a grid, a part holds no window, or the days are
            not dates.
    """
    try:
        source = Source.open(config.source) if config.source else None
    except (InputError, OSError) as error:
        if grid is None:
            raise InputError(f"{error} Or give --grid or --like to plan without it.") from None
        source = None
    if source is None and grid is None:
        raise InputError("The config names no data.source: give --grid or --like.")
    times = _assumed(config, interval_hours) if source is None else np.unique(source.times)
    times = times[TimeParts(times, config).used()]
    parts = TimeParts(times, config)
    windows = {part: len(parts.starts(part)) for part in PARTS}
    for part in PARTS[:2]:
        if not windows[part]:
            raise InputError(
                f"The {part} part, {' to '.join(getattr(config, part))}, holds no step of "
                f"{config.step_hours} h: give other days, or data of these."
            )
    assert source is not None or grid is not None
    found = grid or source.grid  # type: ignore[union-attr]
    channels, forcing = len(config.channels), len(config.forcing)
    one = 4 * (channels + forcing) * found.shape[0] * found.shape[1]
    chunk = 1 if source is None else _chunk(source, config)
    return Outline(
        found,
        len(times),
        windows,
        max(BLOCK // one, 1, chunk) * one,
        channels,
        forcing,
        len(config.static),
        config.history,
        len(config.state_channels),
        known=source is not None,
    )


def _assumed(config: DataConfig, interval_hours: int | None) -> Times:
    """Times from the first to the last day of all parts."""
    days = [bounds(config, part) for part in PARTS]
    first, end = min(day for day, _ in days), max(day for _, day in days)
    return np.arange(first, end, np.timedelta64(interval_hours or config.step_hours, "h"))


def _chunk(source: Source, config: DataConfig) -> int:
    """Times that the chunks of a source hold, at most."""
    arrays = [source.dataset[c.variable] for c in config.channels if c.variable in source.dataset]
    return max((max(a.chunksizes["time"]) for a in arrays if a.chunks), default=1)
