"""Everything that is wrong with a source, found before training and said at once."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from refine_core.errors import InputError, suggest
from weather.data.array_file import blocks, read
from weather.data.config import DataConfig
from weather.data.coordinate_checks import grid_problems, time_problems
from weather.data.time_parts import PARTS, inside
from weather.data.value_checks import Scan
from weather.fields.channel import Channel
from weather.fields.variables import VARIABLES, conversion, long_name
from weather.io.dataset import grid_of, static_maps, times_of

BLOCK = 2**26
"""Bytes of maps held in memory at a time, unless a chunk of the source is larger."""
_MAP = {"latitude", "longitude"}


def check(source: xr.Dataset, data: DataConfig, *, sample: bool = False) -> list[str]:
    """Find all that is wrong with a source.

    Args:
        source: Canonical.
        data: What it is wanted for.
        sample: Whether to look at the values of three times only.

    Returns:
        A sentence for each problem, which says what was found, what was expected, what to do.
    """
    problems = list(_config_problems(data))
    for name in dict.fromkeys(data.atmospheric + data.surface + data.static + data.forcing):
        problems += variable_problems(source, data, name)
    problems += grid_problems(grid_of(source))
    if "time" not in source.dims:
        return [*problems, "time: there is none, expected a dimension of times: join the states"]
    problems += time_problems(times_of(source), data)
    return problems + _static_problems(source, data) + _value_problems(source, data, sample)


def require(source: xr.Dataset, data: DataConfig, whole: int = 2**31) -> None:
    """Refuse a source that does not fit.

    Looks at the values of three times first. Only when something is wrong, it looks at all of
    them, to say all at once, unless they are more than `whole` bytes.

    Raises:
        InputError: Something is wrong; one line for each problem.
    """
    if check(source, data, sample=True):
        raise refusal(data, check(source, data, sample=source.nbytes > whole))


def refusal(data: DataConfig, problems: list[str]) -> InputError:
    """What to raise for problems of a source."""
    many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "".join(f"\n- {problem}" for problem in problems)
    return InputError(f"{data.source or 'The source'} cannot be used, {many}:{lines}")


def _config_problems(data: DataConfig) -> Iterator[str]:
    if not data.atmospheric + data.surface:
        yield "data: found neither atmospheric nor surface variables, expected some"
    if data.atmospheric and not data.levels:
        yield "data.levels: found none, expected those of the atmospheric variables"
    named = [*data.atmospheric, *data.surface, *data.static, *data.forcing]
    for name in dict.fromkeys(named):
        if named.count(name) > 1:
            yield f"data: {name} is named {named.count(name)} times, expected once"


def variable_problems(source: xr.Dataset, data: DataConfig, name: str) -> Iterator[str]:
    """A sentence for each thing that is wrong with a variable, but for its values."""
    if name not in source:
        known = [str(each) for each in source.data_vars]
        usual = long_name(name, levels=name in data.atmospheric)
        meant = f" Did you mean {usual!r}?" if usual in known else suggest(name, known)
        yield (
            f"{name}: not in the source, which has {', '.join(known) or 'no maps'}: correct the "
            f"name, or leave it out.{meant}"
        )
        return
    array, upper = source[name], name in data.atmospheric
    wanted = {"latitude", "longitude"} | ({"level"} if upper else set())
    if name not in data.static:
        wanted.add("time")
    elif "time" in array.dims:  # the first is taken
        wanted.add("time")
    if set(array.dims) != wanted:
        found, expected = ", ".join(map(str, array.dims)), ", ".join(sorted(wanted))
        yield f"{name}: has the dimensions {found}, expected {expected}: select, or move it"
    if upper and "level" in array.dims:
        known_levels = array["level"].values.tolist()
        missing = [str(level) for level in data.levels if level not in known_levels]
        if missing:
            yield (
                f"{name}: not at {', '.join(missing)} hPa, only at "
                f"{', '.join(map(str, known_levels))} hPa: choose among them"
            )
    units = array.attrs.get("units")
    if name in VARIABLES and units is not None and conversion(name, str(units)) is None:
        yield f"{name}: is in {units!r}, expected {VARIABLES[name].units!r}: convert it"


def _static_problems(source: xr.Dataset, data: DataConfig) -> list[str]:
    """What is wrong with the values of static fields."""
    names = [name for name in data.static if name in source and set(source[name].dims) >= _MAP]
    scan = Scan([Channel(name) for name in names], grid_of(source), data.static)
    try:
        scan.look(np.array(["NaT"], "datetime64[ns]"), static_maps(source, names)[None])
    except InputError as error:
        return [str(error).rstrip(".")]
    return scan.problems()


def _value_problems(source: xr.Dataset, data: DataConfig, sample: bool) -> list[str]:
    """What is wrong with the values of all channels that are there."""
    wanted = data.channels + data.forcing_channels
    wanted = [channel for channel in dict.fromkeys(wanted) if _is_there(source, channel)]
    times = times_of(source)
    try:
        index = np.flatnonzero(np.any([inside(times, data, part) for part in PARTS], 0))
    except InputError:  # said of the parts
        index = np.arange(len(times))
    if not wanted or not len(index):
        return []
    looked = index[np.unique([0, len(index) // 2, len(index) - 1])] if sample else index
    scans = {channel: Scan([channel], grid_of(source), data.forcing) for channel in wanted}
    problems: list[str] = []
    for block in blocks(source, wanted, looked, BLOCK):
        for channel, maps in _readable(source, wanted, block, problems):
            scans[channel].look(times[block], maps)
    problems += [problem for scan in scans.values() for problem in scan.problems()]
    if problems and len(looked) < len(index):
        problems.append(f"(values were looked at in {len(looked)} of {len(index)} times only)")
    return problems


def _readable(
    source: xr.Dataset, wanted: list[Channel], block: NDArray[np.int64], problems: list[str]
) -> Iterator[tuple[Channel, NDArray[np.float32]]]:
    """Each channel with its maps (n, 1, H, W) at some times; of others, a problem."""
    try:
        maps = read(source, wanted, block)
        yield from zip(wanted, np.split(maps, len(wanted), 1), strict=True)
    except InputError as error:
        if len(wanted) == 1:
            problems.append(str(error).rstrip("."))
        else:
            for channel in wanted:
                yield from _readable(source, [channel], block, problems)


def _is_there(source: xr.Dataset, channel: Channel) -> bool:
    """Whether a map of a channel can be read for each time."""
    if channel.variable not in source:
        return False
    array = source[channel.variable]
    if channel.level is None:
        return set(array.dims) == {"time", "latitude", "longitude"}
    expected = {"time", "level", "latitude", "longitude"}
    return set(array.dims) == expected and channel.level in array["level"].values
