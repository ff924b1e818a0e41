"""Trained forecast models, each of which is one file: load, roll out, save."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from refine_core.app.processes.workers import Workers
from refine_core.device import Device
from refine_core.errors import InputError
from refine_core.sampling.intermediates import AfterScale
from refine_core.storage.model_card import ModelCard
from refine_core.storage.pretrained import Pretrained, StoredModel
from weather.config import WeatherConfig
from weather.data.config import DataConfig
from weather.data.prepared import Prepared
from weather.fields.channel import Channel
from weather.fields.grid import Grid
from weather.fields.times import AnyTime
from weather.forecast.initial_states import InitialStates, TimesWanted
from weather.forecast.run import make_forecast, steps_in
from weather.forecaster.build import build_untrained, lower_limits
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.refinement import RefineHead
from weather.forecaster.rollout import GROUP, State, rollout


@dataclass(frozen=True)
class WeatherSpec:
    """What a model is rebuilt from.

    Args:
        config: The model's config.
        latitude: (H,) degrees north.
        longitude: (W,) degrees east.
        statics: Count of static maps.
        statistics: Mean and standard deviation of each channel, then of each forcing field.
    """

    config: WeatherConfig
    latitude: tuple[float, ...]
    longitude: tuple[float, ...]
    statics: int
    statistics: tuple[tuple[float, ...], ...]


MODELS = Pretrained("weather.model", WeatherSpec, Path(__file__).parent / "weights")


@dataclass
class WeatherModel(StoredModel):
    """A trained forecast model.

    Args:
        forecaster: The networks of one step, in evaluation mode.
        config: The configuration that it was trained with.
        grid: The grid of its maps.
        mean: (C,) mean of each channel, in SI units.
        std: (C,) standard deviation of each channel, in SI units.
        forcing_mean: (F,) mean of each forcing field.
        forcing_std: (F,) standard deviation of each forcing field.
        digest: Digest of the file that it was loaded from; identifies the model in forecasts.

    >>> import weather
    >>> from weather.samples import STATES  # daily states, bundled
    >>> model = weather.load("gcm")
    >>> made = model.forecast(STATES, "2019-11-15", members=2, steps=1, workers=1)
    >>> made["geopotential"].sel(level=500).sizes
    Frozen({'time': 1, 'number': 2, 'prediction_timedelta': 2, 'latitude': 32, 'longitude': 64})
    """

    forecaster: Forecaster
    config: WeatherConfig
    grid: Grid
    mean: Tensor
    std: Tensor
    forcing_mean: Tensor
    forcing_std: Tensor
    digest: str = ""

    def __post_init__(self) -> None:
        """Load the other models that methods name."""
        if isinstance(self.forecaster.head, RefineHead):
            for method in self.forecaster.head.refiner.own_methods:
                method.connect(self.forecaster.head.refiner, _refiner)

    @property
    def data(self) -> DataConfig:
        """The data that it was trained on."""
        return self.config.data

    @property
    def channels(self) -> list[Channel]:
        """Predicted maps, in the order of C."""
        return self.data.channels

    @property
    def calls(self) -> int:
        """Network calls that a step takes."""
        return self.forecaster.calls

    @property
    def absent(self) -> Tensor | None:
        """(C + F, H, W) bool, cells where channels and forcing lack values; None if none do."""
        return self.forecaster.mean.absent

    @property
    def group(self) -> int:
        """Members that the network computes at once.

        Rounding depends on how many they are and on their places, and after some days the smallest
        difference has become a large one. So a member is always computed with the same others, at
        the same place among them, whichever members are wanted.
        """
        return GROUP if self.forecaster.device.type == "cpu" else 50

    @classmethod
    def of(cls, forecaster: Forecaster, config: WeatherConfig, data: Prepared) -> "WeatherModel":
        """A model with the statistics of the data it was trained on."""
        values = data.statistics
        numbers = (values.mean, values.std, values.forcing_mean, values.forcing_std)
        mean, std, shift, factor = (torch.from_numpy(np.asarray(x)).float() for x in numbers)
        return cls(forecaster, config, data.grid, mean, std, shift, factor)

    def check_data(self, data: Prepared) -> None:
        """Check that prepared data are of the model's channels, on its grid.

        Raises:
            InputError: They are not.
        """
        if data.channels != self.channels or data.config.forcing != self.data.forcing:
            raise InputError(
                f"The data have the channels {', '.join(c.name for c in data.channels)}, the "
                f"model {', '.join(c.name for c in self.channels)}: prepare those of the model."
            )
        if data.grid != self.grid:
            found, expected = (f"{g.shape[0]} x {g.shape[1]}" for g in (data.grid, self.grid))
            raise InputError(
                f"The data have a grid of {found} points, the model one of {expected}, or the "
                "same with other coordinates: regrid the data."
            )

    def normalising(self, data: Prepared) -> Prepared:
        """The data with the means and standard deviations of this model in place of their own.

        Raises:
            InputError: They are not of the model's channels, or not on its grid.
        """
        self.check_data(data)
        names = ("mean", "std", "forcing_mean", "forcing_std")
        own = {name: getattr(self, name).double().numpy() for name in names}
        return replace(data, statistics=replace(data.statistics, **own))

    def uncorrected(self) -> "WeatherModel":
        """The same networks and temperatures, without the correction that calibration fitted."""
        forecaster = copy.deepcopy(self.forecaster)
        forecaster.correction.reset()
        return replace(self, forecaster=forecaster, digest=f"{self.digest}, uncorrected")

    def normalise(self, states: Tensor) -> Tensor:
        """Normalise the first channels (..., c, H, W) in SI units, for the network."""
        mean, std = (x[: states.shape[-3], None, None] for x in (self.mean, self.std))
        return (states - mean) / std

    def denormalise(self, states: Tensor) -> Tensor:
        """States (..., C, H, W) in SI units, of normalised ones; NaN where there are no values."""
        values = states * self.std[:, None, None] + self.mean[:, None, None]
        if self.absent is None:
            return values
        return values.masked_fill(self.absent[: values.shape[-3]].to(values.device), torch.nan)

    def normalise_forcing(self, fields: Tensor) -> Tensor:
        """Normalise forcing fields (..., F, H, W) in SI units, for the network."""
        mean, std = self.forcing_mean[:, None, None], self.forcing_std[:, None, None]
        return (fields - mean) / std

    def rollout(
        self,
        initial: NDArray[np.float32] | Tensor,
        time: AnyTime,
        *,
        members: int | Sequence[int] = 50,
        steps: int = 10,
        seed: int = 0,
        forcing: NDArray[np.float32] | None = None,
        after_scale: AfterScale[State] | None = None,
    ) -> Iterator[State]:
        """Forecast states, step by step; see `weather.forecaster.rollout.rollout`."""
        return rollout(
            self,
            initial,
            time,
            members=members,
            steps=steps,
            seed=seed,
            forcing=forcing,
            after_scale=after_scale,
        )

    def forecast(
        self,
        initial: str | Path | xr.Dataset,
        time: TimesWanted = (),
        *,
        members: int | Sequence[int] = 50,
        steps: int | None = None,
        lead_days: float | None = None,
        seed: int = 0,
        batch: int = 25,
        workers: Workers = "auto",
        quiet: bool = True,
    ) -> xr.Dataset:
        """An ensemble forecast as a data set, equal to what `refine weather forecast` writes.

        Args:
            initial: Initial states: a data set with the names of WeatherBench 2 or the usual
                aliases, or the path or URL of one. Of an ensemble of states, along `number`, each
                member starts from its own.
            time: Initial times, also ranges such as "2019-11-01/2019-11-11/48h"; by default the
                last of the states.
            members: Number of members, or their names from 0.
            steps: Number of model steps.
            lead_days: Length of the forecast, in place of `steps`; by default ten days.
            seed: Seed of the ensemble.
            batch: Members that are computed at a time.
            workers: Processes that share the members, of one thread each; "auto" is one for each
                core where that pays. The forecast is the same.
            quiet: Whether to show no progress.

        Returns:
            (time, number, prediction_timedelta, [level], latitude, longitude), in SI units; lead
            0 is the initial state.

        Raises:
            InputError: The states do not fit the model, a time or a number is out of its range,
                or the forecast does not fit into memory.
        """
        if steps is not None and lead_days is not None:
            raise InputError(
                f"Found {steps} steps and {lead_days} days, expected one of them: leave one out."
            )
        if steps is None:
            steps = steps_in(10.0 if lead_days is None else lead_days, self.data.step_hours)
        states = InitialStates.open(initial, self)
        times = states.choose(time)
        return make_forecast(
            states,
            times,
            members=members,
            steps=steps,
            seed=seed,
            batch=batch,
            workers=workers,
            quiet=quiet,
        )

    @classmethod
    def from_pretrained(cls, folder: str | Path, device: Device = "auto") -> "WeatherModel":
        """The model that `save_pretrained` wrote to a folder; see `load`, which reads it too."""
        return load(folder, device)

    @property
    def _stored(self) -> tuple[Pretrained[WeatherSpec], nn.Module, WeatherSpec]:
        statistics = (self.mean, self.std, self.forcing_mean, self.forcing_std)
        spec = WeatherSpec(
            self.config,
            tuple(self.grid.latitude.tolist()),
            tuple(self.grid.longitude.tolist()),
            len(self.forecaster.mean.get_buffer("static")),
            tuple(tuple(values.tolist()) for values in statistics),
        )
        return MODELS, self.forecaster, spec

    def _card(self) -> ModelCard:
        hours, (rows, columns) = self.data.step_hours, self.grid.shape
        return ModelCard(
            self.config.name,
            f"Ensemble forecasts of the weather in steps of {hours} hours, by refinement.",
            "weather",
            """
import weather

model = weather.WeatherModel.from_pretrained(".")  # this folder
made = model.forecast("states.nc", members=20, lead_days=1)  # an xarray.Dataset
""",
            {
                "grid": f"{rows} latitudes, {columns} longitudes",
                "variables": ", ".join(channel.name for channel in self.channels),
                "forcing": ", ".join(self.data.forcing) or "none",
                "network calls a step": self.calls,
                "parameters": sum(each.numel() for each in self.forecaster.parameters()),
            },
            ("ensemble-forecasting",),
        )


def load(name: str | Path, device: Device = "auto") -> WeatherModel:
    """A shipped model by name, or a trained one by path (of its file or its run's folder).

    Args:
        name: Name of a shipped model, a run's folder (with `model.safetensors`), or a file.
        device: Where it computes, such as cpu or cuda; auto takes an accelerator if there is one.

    Raises:
        InputError: There is no such model or device, or the file is not one.

    >>> import weather
    >>> model = weather.load("gcm")
    >>> model.grid.shape, len(model.channels), model.data.step_hours
    ((32, 64), 26, 24)
    """
    saved = MODELS.load(name)
    spec, config = saved.spec, saved.spec.config
    grid = Grid(np.array(spec.latitude), np.array(spec.longitude))
    mean_of, std_of, shift, factor = (torch.tensor(values) for values in spec.statistics)
    forecaster = build_untrained(config.data, config.mean, config.head, grid, spec.statics)
    saved.restore(forecaster, device)
    # Not as saved: in half precision zero would not be zero.
    lower = lower_limits(config.data.channels, mean_of, std_of)
    forecaster.get_buffer("lower").copy_(lower[:, None, None])
    return WeatherModel(forecaster, config, grid, mean_of, std_of, shift, factor, saved.digest)


def _refiner(name: str) -> nn.Module:
    """Refiner of the residuals of another model.

    Raises:
        InputError: There is no such model, or its head is of another kind.
    """
    head = load(name, "cpu").forecaster.head
    if not isinstance(head, RefineHead):
        raise InputError(f"The head of {name} samples no codes: name a model that refines.")
    return head.refiner
