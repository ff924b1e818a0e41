"""Rolling a model forward: a generator of states; a member is a name, not a place in a queue."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refine_core.errors import InputError
from refine_core.noise import Noise, derive
from weather.data.config import DataConfig
from weather.fields.grid import Grid
from weather.fields.times import clock
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.mean import Given

EXTREME = 25.0
"""Standard deviations of a channel beyond which a state is no weather."""


@dataclass(frozen=True)
class State:
    """Members of an ensemble at one lead time.

    Args:
        time: Valid time.
        lead_hours: Since the initial time.
        members: Names of the members.
        values: (m, C, H, W) in SI units, channels in the model's order.
    """

    time: np.datetime64
    lead_hours: int
    members: tuple[int, ...]
    values: Tensor


class Rollable(Protocol):
    """What `rollout` needs of a model."""

    forecaster: Forecaster
    """In evaluation mode."""
    grid: Grid

    @property
    def data(self) -> DataConfig:
        """The data that the model was trained on."""
        ...

    @property
    def group(self) -> int:
        """Members that the network sees at once."""
        ...

    def normalise(self, states: Tensor) -> Tensor:
        """States (..., C, H, W) in SI units, as the network takes them."""
        ...

    def denormalise(self, states: Tensor) -> Tensor:
        """The inverse of `normalise`."""
        ...

    def normalise_forcing(self, fields: Tensor) -> Tensor:
        """Forcing fields (..., F, H, W) in SI units, as the network takes them."""
        ...


@torch.no_grad()
def rollout(
    model: Rollable,
    initial: NDArray[np.float32] | Tensor,
    time: np.datetime64,
    *,
    members: int | Sequence[int] = 50,
    steps: int = 10,
    seed: int = 0,
    forcing: NDArray[np.float32] | None = None,
) -> Iterator[State]:
    """Forecast states, step by step.

    What member m becomes is a function of the seed, the initial time and m only, to the last bit
    on one machine with one count of threads. Members are computed in groups, see
    `Rollable.group`; one alone costs as much as its group.

    Args:
        model: To roll forward.
        initial: (C, H, W), or (history, C, H, W) with the latest state last, in SI units on the
            model's grid.
        time: Of the latest initial state.
        members: How many, or their names.
        steps: Of the model's `step_hours`.
        seed: Of the ensemble.
        forcing: (steps, F, H, W) fields known in advance at the valid times, in SI units.

    Raises:
        InputError: The initial state has another shape or is not finite, the forcing is missing,
            or a member leaves what is physically possible.
    """
    past = _initial(model, initial)
    outside = _forcing(model, forcing, steps)
    wanted = tuple(range(members)) if isinstance(members, int) else tuple(members)
    group = model.group
    firsts = sorted({name // group * group for name in wanted})
    names = [first + place for first in firsts for place in range(group)]
    rows = torch.tensor([names.index(name) for name in wanted], dtype=torch.int64)
    step = np.timedelta64(model.data.step_hours, "h")
    start = time.astype("datetime64[h]")
    noise = Noise(derive(seed, int(start.astype(np.int64))), torch.tensor(names))
    hours = torch.from_numpy(clock(start + step * np.arange(steps))).to(past)
    correction, residual = model.forecaster.correction, None
    for number in range(steps):
        usual = correction.climatology(start + step * np.arange(number + 1, number + 2))[0]
        parts = []
        for index in torch.arange(len(names)).split(group):
            before = past if len(past) == 1 else past[index]
            given = Given(
                before,
                outside[None, number].expand(len(before), -1, -1, -1),
                hours[None, number].expand(len(before), -1),
            )
            drawn = Noise(noise.seed, noise.index[index].to(past.device)).fork(number)
            last = None if residual is None else residual[index]
            parts.append(model.forecaster.step(given, drawn, usual, last, number))
        latest, residual = (torch.cat(part) for part in zip(*parts, strict=True))
        lead = (number + 1) * model.data.step_hours
        older = past[:, 1:].expand(len(names), *past[:, 1:].shape[1:])
        past = torch.cat([older, latest[:, None]], 1)
        chosen = latest.cpu()[rows]
        _check(model, chosen, wanted, lead)
        yield State(start + step * (number + 1), lead, wanted, model.denormalise(chosen))


def _initial(model: Rollable, initial: NDArray[np.float32] | Tensor) -> Tensor:
    """(1, history, C, H, W) normalised."""
    states = torch.from_numpy(np.array(initial, dtype=np.float32))
    wanted = (model.data.history, len(model.data.channels), *model.grid.shape)
    if states.ndim == 3:
        states = states[None]
    if tuple(states.shape) != wanted:
        raise InputError(
            f"The initial state has shape {tuple(states.shape)}, the model needs {wanted} "
            "(states, channels, latitudes, longitudes)."
        )
    if not bool(states.isfinite().all()):
        bad = [
            channel.name
            for place, channel in enumerate(model.data.channels)
            if not bool(states[:, place].isfinite().all())
        ]
        raise InputError(
            f"The initial state has values that are not finite in {', '.join(bad)}: fill them, or "
            "start from another time."
        )
    device = next(model.forecaster.parameters()).device
    return model.normalise(states)[None].to(device)


def _forcing(model: Rollable, forcing: NDArray[np.float32] | None, steps: int) -> Tensor:
    """(steps, F, H, W) normalised; F may be 0."""
    names = model.data.forcing
    device = next(model.forecaster.parameters()).device
    if not names:
        return torch.zeros(steps, 0, *model.grid.shape, device=device)
    wanted = (steps, len(names), *model.grid.shape)
    found = None if forcing is None else tuple(forcing.shape)
    if forcing is None or found != wanted:
        raise InputError(
            f"The model needs the forcing fields {', '.join(names)} at every valid time, of shape "
            f"{wanted}, found {found}."
        )
    fields = torch.from_numpy(np.array(forcing, dtype=np.float32))
    return model.normalise_forcing(fields).to(device)


def _check(model: Rollable, latest: Tensor, names: tuple[int, ...], lead: int) -> None:
    """Refuse states that no atmosphere has."""
    worst = latest.abs().nan_to_num(torch.inf, torch.inf).amax((2, 3))
    if bool((worst <= EXTREME).all()):
        return
    member, channel = divmod(int(worst.argmax()), worst.shape[1])
    name = model.data.channels[channel].name
    raise InputError(
        f"Member {names[member]} blew up at a lead of {lead} h: {name} is more than "
        f"{EXTREME:.0f} standard deviations from its mean. Start from a state like those the "
        "model was trained on, or shorten the forecast."
    )
