"""Training of a forecast model: the mean, the tokeniser of its errors, and the head."""

from dataclasses import replace
from pathlib import Path

from refine_core.config.schema import to_dict
from refine_core.errors import InputError
from refine_core.training.stages import Stages
from weather.config import WeatherConfig
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.build import build_head, build_mean
from weather.forecaster.config import NetworkConfig
from weather.forecaster.controls import BankHead, GaussianHead, NoHead
from weather.forecaster.refinement import RefineHead
from weather.model import WeatherModel, load
from weather.training.errors import build_forecaster, scaled_residuals
from weather.training.stages import train_head, train_mean, train_tokenizer

PLACES = ("source", "train", "validation", "test", "gap_days")
"""Settings of the data in which a model may differ from that whose mean it uses."""


def train(
    config: WeatherConfig,
    runs: Path = Path("runs"),
    *,
    seconds: float | None = None,
    quiet: bool = False,
) -> WeatherModel:
    """Train a model, or continue where an earlier call was stopped.

    Everything goes to `runs/<config.name>/`; the result is `model.safetensors` there.

    Args:
        config: Config of data, networks and their training.
        runs: Folder of runs.
        seconds: About how long to train each stage, in place of its number of epochs.
        quiet: Whether to show no progress.

    Raises:
        InputError: The data cannot be used, see `weather.data.checks`, or parts of the model do
            not fit together or to the data. Nothing has been trained then.

    >>> from dataclasses import replace
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import weather
    >>> from refine_core import Optimisation
    >>> from weather.forecaster.config import HeadConfig, NetworkConfig
    >>> from weather.samples import STATES
    >>> early = {"source": str(STATES), "gap_days": 4, "train": ("2019-11-01", "2019-11-20")}
    >>> late = {"validation": ("2019-11-25", "2019-12-05"), "test": ("2019-12-10", "2019-12-20")}
    >>> data = replace(weather.load("gcm").config.data, **early, **late)
    >>> mean = NetworkConfig(dim=16, depth=1, heads=2, width=8, training=Optimisation(1, batch=4))
    >>> head = HeadConfig(kind="gaussian")
    >>> config = weather.WeatherConfig(name="mine", data=data, mean=mean, head=head)
    >>> with TemporaryDirectory() as runs:
    ...     model = weather.train(config, Path(runs), quiet=True)
    >>> model.calls, model.channels[0].name
    (1, 'geopotential_250')
    """
    data = prepare(config.data, quiet=quiet)
    source = _model_of_mean(config, data)
    if source is not None:
        config, data = replace(config, mean=source.config.mean), source.normalising(data)
    check_config(config, data)
    stages = Stages(runs / config.name, config.seed, data.digest, quiet, seconds)
    windows, validation = (Windows(data, part) for part in ("train", "validation"))
    if source is None:
        mean = train_mean(config, data, validation, stages)
    else:
        mean = source.forecaster.mean
    with stages.seeded(2):
        head = build_head(config.head, data.grid, data.channels, mean)
    forecaster = build_forecaster(mean, head, data)
    if isinstance(head, RefineHead):
        train_tokenizer(config, forecaster, head, windows, validation, stages)
    if isinstance(head, BankHead | GaussianHead):
        head.estimate(scaled_residuals(forecaster, windows))
    elif not isinstance(head, NoHead):
        forecaster = train_head(config, forecaster, windows, validation, stages)
    model = WeatherModel.of(forecaster.eval(), config, data)
    model.save(stages.folder / "model.safetensors")
    return model


def check_config(config: WeatherConfig, data: Prepared) -> None:
    """Refuse what cannot be built or trained, before anything is trained.

    Raises:
        InputError: A batch is larger than the training part, or sizes do not fit together.
    """
    head, windows = config.head, len(Windows(data, "train"))
    batches = {} if config.mean_from else {"mean": config.mean.training.batch}
    if head.kind == "refine":
        batches["head.tokenizer"] = head.tokenizer.training.batch
    if head.is_trained:
        batches["head.network"] = head.network.training.batch
    for name, batch in batches.items():
        if batch > windows:
            raise InputError(
                f"{name}.training.batch: found {batch}, expected at most {windows}, the windows "
                "of the training part: lower it, or give more data."
            )
    if head.kind == "refine":
        _check_finest(config.mean, head.tokenizer.sizes[-1])
    build_head(head, data.grid, data.channels, build_mean(config.mean, data))


def _check_finest(mean: NetworkConfig, finest: tuple[int, int]) -> None:
    if finest != mean.grid:
        raise InputError(
            f"head.tokenizer.sizes: found {finest[0]} x {finest[1]} as the finest, expected "
            f"mean.grid, {mean.grid[0]} x {mean.grid[1]}, whose tokens the head adds to its own: "
            "make them equal."
        )


def _model_of_mean(config: WeatherConfig, data: Prepared) -> WeatherModel | None:
    """The model whose mean is used, if there is one.

    Raises:
        InputError: There is no such model, or it was trained on other variables or steps.
    """
    if not config.mean_from:
        return None
    other = load(config.mean_from)
    changed = sorted(
        name
        for name, value in to_dict(config.data).items()
        if name not in PLACES and to_dict(other.data)[name] != value
    )
    if changed:
        raise InputError(
            f"The model {config.mean_from}, whose mean is to be used (mean_from), was trained "
            f"with other data.{', data.'.join(changed)}: give this config the same."
        )
    if other.grid != data.grid:
        found, expected = (f"{g.shape[0]} x {g.shape[1]}" for g in (data.grid, other.grid))
        raise InputError(
            f"The model {config.mean_from}, whose mean is to be used (mean_from), was trained on "
            f"a grid of {expected} points, the data have one of {found}: train the mean on these "
            "data."
        )
    return other
