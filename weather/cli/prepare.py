"""The command `refine weather prepare`."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from refine_core.app.options import parse
from weather.config import WeatherConfig
from weather.data.preparation import prepare as prepare_data
from weather.data.prepared import Prepared
from weather.data.time_parts import PARTS


def prepare(argv: list[str]) -> None:
    """Check the data of a config and make them ready for training."""
    config = parse(WeatherConfig, argv, prog="refine weather prepare")
    made = prepare_data(config.data)
    Console(highlight=False, soft_wrap=True).print(statistics_table(made))
    for part in PARTS:
        print(
            f"{part}: {len(made.starts(part))} starts, {' to '.join(getattr(made.config, part))}"
        )
    print(f"folder: {made.folder}")


def statistics_table(made: Prepared) -> Table:
    """Statistics of each channel, forcing and static field."""
    table = Table("field", *("mean", "std", "change in a step"), box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    known = made.statistics
    changes = [*known.residual_std, *(None for _ in made.config.forcing + made.config.static)]
    names = [*(c.name for c in made.channels), *made.config.forcing, *made.config.static]
    means = [*known.mean, *known.forcing_mean, *known.static_mean]
    stds = [*known.std, *known.forcing_std, *known.static_std]
    for name, mean, std, change in zip(names, means, stds, changes, strict=True):
        table.add_row(name, f"{mean:.5g}", f"{std:.5g}", "" if change is None else f"{change:.5g}")
    return table
