"""Checks of a source before training: every problem is found, and all are reported at once."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from refine_core.errors import InputError, suggest
from weather.data.config import DataConfig
from weather.data.coordinate_checks import grid_problems, time_problems
from weather.data.time_parts import TimeParts
from weather.data.value_checks import ValueScan
from weather.fields.channel import Channel
from weather.fields.insolation import COMPUTED
from weather.fields.variables import VARIABLES, conversion, long_name
from weather.io.source import Source

BLOCK = 2**26
"""Bytes of maps in memory at a time, unless a chunk of the source is larger."""
_MAP = {"latitude", "longitude"}


def source_problems(source: Source, config: DataConfig, *, sample: bool = False) -> list[str]:
    """Find all that is wrong with a source.

    Args:
        source: The source.
        config: What it is wanted for.
        sample: Whether to look at the values of three times only.

    Returns:
        A sentence for each problem, which says what was found, what was expected, what to do.
    """
    problems = list(_config_problems(config))
    for name in dict.fromkeys(
        config.atmospheric + config.surface + config.diagnostic + config.static + config.forcing
    ):
        problems += variable_problems(source, config, name)
    problems += grid_problems(source.grid)
    if "time" not in source.dataset.dims:
        return [*problems, "time: there is none, expected a dimension of times: join the states"]
    problems += time_problems(source.times, config)
    return problems + _static_problems(source, config) + _value_problems(source, config, sample)


def check_source(source: Source, config: DataConfig, whole: int = 2**31) -> None:
    """Refuse a source that does not fit.

    The values of three times are looked at first. Only if something is wrong with them, all times
    are, so that the message is complete, unless they are more than `whole` bytes.

    Raises:
        InputError: Something is wrong; one line for each problem.
    """
    if source_problems(source, config, sample=True):
        large = source.dataset.nbytes > whole
        raise refusal(source.path, source_problems(source, config, sample=large))


def refusal(path: str, problems: list[str]) -> InputError:
    """The error that lists the problems of a source."""
    many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = "".join(f"\n- {problem}" for problem in problems)
    return InputError(f"{path or 'The source'} cannot be used, {many}:{lines}")


def absent_cells(maps: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(C, H, W) cells without values (NaN) in the first of maps (n, C, H, W) that have some."""
    absent: NDArray[np.bool_] = np.isnan(maps[0])
    return absent & ~absent.all((1, 2), keepdims=True)


def _config_problems(config: DataConfig) -> Iterator[str]:
    if not config.atmospheric + config.surface:
        yield "data: found neither atmospheric nor surface variables, expected some"
    if config.atmospheric and not config.levels:
        yield "data.levels: found none, expected those of the atmospheric variables"
    groups = (config.atmospheric, config.surface, config.diagnostic, config.static, config.forcing)
    named = [name for group in groups for name in group]
    for name in set(config.masked) - (set(named) - set(config.static)):
        yield f"data.masked: {name} is no variable that is predicted or a forcing: leave it out"
    for name in dict.fromkeys(named):
        if named.count(name) > 1:
            yield f"data: {name} is named {named.count(name)} times, expected once"


def variable_problems(source: Source, config: DataConfig, name: str) -> Iterator[str]:
    """A sentence for each thing that is wrong with a variable, except for its values."""
    if name not in source.dataset and name in config.forcing and name in COMPUTED:
        return
    if name not in source.dataset:
        known = [str(each) for each in source.dataset.data_vars]
        usual = long_name(name, levels=name in config.atmospheric)
        meant = f" Did you mean {usual!r}?" if usual in known else suggest(name, known)
        yield (
            f"{name}: not in the source, which has {', '.join(known) or 'no maps'}: correct the "
            f"name, or leave it out.{meant}"
        )
        return
    array, upper = source.dataset[name], name in config.atmospheric
    expected = {"latitude", "longitude"} | ({"level"} if upper else set())
    if name not in config.static or "time" in array.dims:  # of a static field the first is taken
        expected.add("time")
    if set(array.dims) != expected:
        found, wanted = ", ".join(map(str, array.dims)), ", ".join(sorted(expected))
        yield (
            f"{name}: has the dimensions {found}, expected {wanted}: select one place along each "
            "other dimension"
        )
    if upper and "level" in array.dims:
        levels = array.attrs.get("levels", array["level"].values.tolist())
        missing = [str(level) for level in config.levels if level not in levels]
        if missing:
            yield (
                f"{name}: not at {', '.join(missing)} hPa, only at "
                f"{', '.join(map(str, levels))} hPa: choose among them"
            )
    units = array.attrs.get("units")
    if name in VARIABLES and units is not None and conversion(name, str(units)) is None:
        yield f"{name}: is in {units!r}, expected {VARIABLES[name].units!r}: convert it"


def _static_problems(source: Source, config: DataConfig) -> list[str]:
    """What is wrong with the values of static fields."""
    fields = source.dataset
    names = [name for name in config.static if name in fields and set(fields[name].dims) >= _MAP]
    scan = ValueScan([Channel(name) for name in names], source.grid, config.static)
    try:
        scan.look(np.array(["NaT"], "datetime64[ns]"), source.read_static(names)[None])
    except InputError as error:
        return [str(error).rstrip(".")]
    return scan.problems()


def _value_problems(source: Source, config: DataConfig, sample: bool) -> list[str]:
    """What is wrong with the values of all channels that the source has."""
    wanted = dict.fromkeys(config.channels + config.forcing_channels)
    channels = [channel for channel in wanted if source.has(channel)]
    try:
        index = TimeParts(source.times, config).used()
    except InputError:  # `time_problems` has reported the day that is not a date
        index = np.arange(len(source.times))
    if not channels or not len(index):
        return []
    looked = index[np.unique([0, len(index) // 2, len(index) - 1])] if sample else index
    problems: list[str] = []
    masked = [channel for channel in channels if channel.variable in config.masked]
    absent = {c: absent_cells(maps) for c, maps in _readable(source, masked, index[:1], [])}
    scans = {
        c: ValueScan([c], source.grid, config.forcing, absent=absent.get(c)) for c in channels
    }
    for block in source.blocks(channels, looked, BLOCK):
        for channel, maps in _readable(source, channels, block, problems):
            scans[channel].look(source.times[block], maps)
    problems += [problem for scan in scans.values() for problem in scan.problems()]
    if problems and len(looked) < len(index):
        problems.append(f"(values were looked at in {len(looked)} of {len(index)} times only)")
    return problems


def _readable(
    source: Source, channels: list[Channel], block: NDArray[np.int64], problems: list[str]
) -> Iterator[tuple[Channel, NDArray[np.float32]]]:
    """Each channel with its maps (n, 1, H, W) at some times, or else a problem."""
    if not channels:
        return
    try:
        maps = source.read(channels, block)
        yield from zip(channels, np.split(maps, len(channels), 1), strict=True)
    except InputError as error:
        if len(channels) == 1:
            problems.append(str(error).rstrip("."))
        else:
            for channel in channels:
                yield from _readable(source, [channel], block, problems)
