"""A forecast model as a `PrognosticModel` of Earth2Studio, for its data, workflows and outputs.

    from earth2studio import run
    from earth2studio.data import ARCO
    from earth2studio.io import ZarrBackend
    from earth2studio.perturbation import Zero

    model = Earth2StudioModel(weather.load("gcm"))
    run.ensemble(["2024-01-01"], 10, 20, model, ARCO(), ZarrBackend("made.zarr"), Zero())

It has the form of that protocol, and does without the package itself.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.forecaster.rollout import State
from weather.model import WeatherModel

Coords = OrderedDict[str, NDArray[Any]]
"""Coordinates by the name of the dimension, in the order of the dimensions."""
EARTH2STUDIO_NAMES = {
    "geopotential": "z",
    "temperature": "t",
    "u_component_of_wind": "u",
    "v_component_of_wind": "v",
    "specific_humidity": "q",
    "relative_humidity": "r",
    "vertical_velocity": "w",
    "2m_temperature": "t2m",
    "2m_dewpoint_temperature": "d2m",
    "sea_surface_temperature": "sst",
    "skin_temperature": "skt",
    "10m_u_component_of_wind": "u10m",
    "10m_v_component_of_wind": "v10m",
    "mean_sea_level_pressure": "msl",
    "surface_pressure": "sp",
    "total_column_water_vapour": "tcwv",
    "total_precipitation": "tp",
    "total_precipitation_6hr": "tp06",
    "total_cloud_cover": "tcc",
}
"""Earth2Studio's names of variables; a level in hPa follows. Others keep their own names."""
STEPS = 100_000
"""Steps after which an iterator ends."""


class Earth2StudioModel:
    """Forecasts of Earth2Studio's tensors.

    Members go by the dimension `ensemble` where there is one: member m is that of
    `refine weather forecast`, and does not depend on how many there are. Earth2Studio brings data
    of another grid to the model's by the nearest points; `weather.regrid` conserves means.

    Args:
        model: Without forcing fields, which Earth2Studio does not hand on.
        seed: Seed of the ensemble.

    Raises:
        InputError: The model needs forcing fields.

    >>> import torch
    >>> import numpy as np
    >>> import weather
    >>> from weather.samples import STATES
    >>> model = weather.load("gcm")
    >>> wrapped = weather.Earth2StudioModel(model, seed=0)
    >>> coords = wrapped.input_coords() | {"time": np.array(["2019-11-15"], "datetime64[ns]")}
    >>> del coords["batch"]
    >>> states = weather.InitialStates.open(STATES, model).states("2019-11-15")
    >>> made, coords = wrapped(torch.from_numpy(states)[None], coords)
    >>> made.shape, coords["lead_time"].astype(int).tolist()  # hours
    (torch.Size([1, 1, 26, 32, 64]), [24])
    """

    def __init__(self, model: WeatherModel, seed: int = 0) -> None:
        if model.data.forcing:
            raise InputError(
                f"The model needs the forcing fields {', '.join(model.data.forcing)}, which "
                "Earth2Studio does not hand on: use `WeatherModel.forecast`, or another model."
            )
        self.model, self.seed = model, seed

    def to(self, device: str | torch.device) -> Self:
        """Move the model to a device."""
        self.model.forecaster.to(device)
        return self

    def input_coords(self) -> Coords:
        """Coordinates of initial states; a length of 0 stands for any."""
        data = self.model.data
        lags = np.arange(1 - data.history, 1) * np.timedelta64(data.step_hours, "h")
        return self._coords(lags, data.state_channels)

    def output_coords(self, input_coords: Coords) -> Coords:
        """Coordinates one step after those of initial states.

        Raises:
            ValueError: They do not fit the model.
        """
        wanted = self.input_coords()
        lags = input_coords["lead_time"] - input_coords["lead_time"][-1]
        names = [*wanted][1:]
        if [*input_coords][-len(names) :] != names:
            raise ValueError(
                f"Found dimensions {[*input_coords]}, expected them to end in {names}."
            )
        for name, values in {**input_coords, "lead_time": lags}.items():
            like = wanted.get(name, np.empty(0))
            if len(like) and not np.array_equal(values, like):
                raise ValueError(f"Found other values of {name} than those of the input_coords.")
        step = input_coords["lead_time"][-1:] + np.timedelta64(self.model.data.step_hours, "h")
        made = self._coords(step, self.model.channels)
        given = {name: values for name, values in input_coords.items() if name not in made}
        made["time"] = input_coords["time"]
        if "batch" in input_coords:
            made["batch"] = input_coords["batch"]
        else:
            del made["batch"]
        return OrderedDict({**given, **made})

    def __call__(self, x: Tensor, coords: Coords) -> tuple[Tensor, Coords]:
        """States one step after the initial ones.

        Args:
            x: (..., times, history, S, H, W) in SI units.
            coords: Its coordinates; what is before the time are members.

        Returns:
            (..., times, 1, C, H, W) and its coordinates.

        Raises:
            ValueError: The coordinates do not fit the model.
        """
        iterator = self.create_iterator(x, coords)
        next(iterator)
        return next(iterator)

    def create_iterator(self, x: Tensor, coords: Coords) -> Iterator[tuple[Tensor, Coords]]:
        """The initial states, then those of step after step; see `__call__`.

        What is first predicted, such as precipitation, is missing in the initial states.
        """
        later = self.output_coords(coords)
        members, flat = self._members(x, coords)
        lead = coords["lead_time"][-1]
        runs = [
            self._rollout(flat[:, place], members, time + lead)
            for place, time in enumerate(coords["time"])
        ]
        shape = (*x.shape[: x.ndim - 4], 1, len(self.model.channels), *x.shape[-2:])
        made = torch.full(shape, torch.nan, dtype=x.dtype, device=x.device)
        made[..., : x.shape[-3], :, :] = x[..., -1:, :, :, :]
        yield made, self._at(later, coords["lead_time"][-1:])
        for number, states in enumerate(zip(*runs, strict=True), 1):
            values = torch.stack([state.values for state in states], 1).to(x)
            step = np.timedelta64(number * self.model.data.step_hours, "h")
            yield values.reshape(shape), self._at(later, coords["lead_time"][-1:] + step)

    def _members(self, x: Tensor, coords: Coords) -> tuple[list[int], Tensor]:
        """Names of m members, and their states (m, times, history, S, H, W)."""
        before = [*coords][: x.ndim - 5]
        flat = x.reshape(-1, *x.shape[x.ndim - 5 :])
        if before == ["ensemble"]:
            return [int(name) for name in coords["ensemble"]], flat
        return list(range(len(flat))), flat

    def _rollout(self, states: Tensor, members: list[int], time: np.datetime64) -> Iterator[State]:
        """Roll members forward, each from its own states (m, history, S, H, W)."""
        every = states[:1].repeat(1 + max(members), 1, 1, 1, 1)  # of which member m takes the mth
        every[torch.tensor(members)] = states
        return self.model.rollout(every, time, members=members, steps=STEPS, seed=self.seed)

    def _coords(self, lead: NDArray[np.timedelta64], channels: list[Channel]) -> Coords:
        grid = self.model.grid
        return OrderedDict(
            batch=np.empty(0),
            time=np.empty(0),
            lead_time=lead,
            variable=np.array([_name(channel) for channel in channels]),
            lat=grid.latitude,
            lon=grid.longitude,
        )

    @staticmethod
    def _at(coords: Coords, lead: NDArray[np.timedelta64]) -> Coords:
        """The same coordinates at another lead time."""
        return OrderedDict({**coords, "lead_time": lead})


def _name(channel: Channel) -> str:
    short = EARTH2STUDIO_NAMES.get(channel.variable, channel.name)
    return f"{short}{channel.level}" if channel.level and short != channel.name else short
