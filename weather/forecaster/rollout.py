"""Rolls a model forward: states of an ensemble, step by step."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from refine_core.app.processes.memory import check_memory
from refine_core.errors import InputError
from refine_core.noise import Noise, derive
from refine_core.sampling.intermediates import AfterScale, Intermediate
from weather.data.config import DataConfig
from weather.fields.arguments import brief, whole_number
from weather.fields.grid import Grid
from weather.fields.times import AnyTime, clock, parse_time
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.inputs import StepInput

MOST_MEMBERS = 10**6
"""Most members of a forecast, of all its starts together: in a store each has files of its own."""
GROUP = 5
"""Members that a network computes at once on a processor."""
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

    >>> import weather
    >>> from weather.samples import STATES
    >>> model = weather.load("gcm")
    >>> initial = weather.InitialStates.open(STATES, model).states("2019-11-15")
    >>> (state,) = model.rollout(initial, "2019-11-15", members=2, steps=1)
    >>> str(state.time)[:10], state.lead_hours, state.members, state.values.shape
    ('2019-11-16', 24, (0, 1), torch.Size([2, 26, 32, 64]))
    """

    time: np.datetime64
    lead_hours: int
    members: tuple[int, ...]
    values: Tensor


class Rollable(Protocol):
    """What `rollout` needs of a model."""

    forecaster: Forecaster
    """The networks of one step, in evaluation mode."""
    grid: Grid

    @property
    def data(self) -> DataConfig:
        """The data that the model was trained on."""
        ...

    @property
    def group(self) -> int:
        """Members that the network computes at once."""
        ...

    @property
    def absent(self) -> Tensor | None:
        """(C + F, H, W) bool, cells where channels and forcing lack values; None if none do."""
        ...

    def normalise(self, states: Tensor) -> Tensor:
        """Normalise the first channels (..., c, H, W) in SI units, for the network."""
        ...

    def denormalise(self, states: Tensor) -> Tensor:
        """States (..., C, H, W) in SI units, of normalised ones."""
        ...

    def normalise_forcing(self, fields: Tensor) -> Tensor:
        """Normalise forcing fields (..., F, H, W) in SI units, for the network."""
        ...


def rollout(
    model: Rollable,
    initial: NDArray[np.float32] | Tensor,
    time: AnyTime,
    *,
    members: int | Sequence[int] = 50,
    steps: int = 10,
    seed: int = 0,
    forcing: NDArray[np.float32] | None = None,
    after_scale: AfterScale[State] | None = None,
) -> Iterator[State]:
    """Forecast states, step by step.

    A member is a function of the seed, the initial time and its own name, to the last bit on one
    machine with one count of threads. Members are computed in groups, see `Rollable.group`; one
    alone costs as much as its group.

    Args:
        model: The model to roll forward.
        initial: (S, H, W), or (history, S, H, W) with the latest state last, the channels of a
            state in SI units on the model's grid; or (k, history, S, H, W), of which member m
            starts from that at m mod k.
        time: Time of the latest initial state: a full hour of UTC.
        members: Number of members, or their names from 0.
        steps: Number of model steps, each of `step_hours`.
        seed: Seed of the ensemble.
        forcing: (steps, F, H, W) fields known in advance at the valid times, in SI units.
        after_scale: Called after each scale of each step of each group of members, with their
            states as they are so far.

    Raises:
        InputError: The time is no full hour, there are no members or steps or more members than
            memory holds, the initial state has another shape or is not finite, the forcing is
            missing, or, later, a member leaves what is physically possible.
    """
    start, names = _full_hour(time), member_names(members)
    steps, seed = whole_number(steps, "steps"), whole_number(seed, "the seed")
    if steps < 1:
        raise InputError(f"Found {steps} steps, expected one or more.")
    held = 4 * len(names) * len(model.data.channels) * math.prod(model.grid.shape)
    check_memory(held, f"A state of {len(names)} members", "roll out some of them at a time")
    past, fields = _initial(model, initial), _forcing(model, forcing, steps)
    return _states(model, past, fields, start, names, seed, after_scale)


@torch.no_grad()
def _states(
    model: Rollable,
    past: Tensor,
    forcing: Tensor,
    start: np.datetime64,
    wanted: tuple[int, ...],
    seed: int,
    after_scale: AfterScale[State] | None,
) -> Iterator[State]:
    """Roll out from past states (k, history, S, H, W) with forcing (steps, F, H, W)."""
    names, rows = _in_groups(wanted, model.group)
    past = past if len(past) == 1 else past[torch.tensor(names) % len(past)]
    usual = bool((past.abs() <= EXTREME).all())
    noise = Noise(derive(seed, int(start.astype(np.int64))), torch.tensor(names))
    step, steps = np.timedelta64(model.data.step_hours, "h"), len(forcing)
    hours = torch.from_numpy(clock(start + step * np.arange(steps))).to(past)
    residual = None
    for number in range(steps):
        time, lead = start + step * (number + 1), (number + 1) * model.data.step_hours
        groups = []
        for index in torch.arange(len(names)).split(model.group):
            before = past if len(past) == 1 else past[index]
            given = StepInput(
                before,
                forcing[None, number].expand(len(before), -1, -1, -1),
                hours[None, number].expand(len(before), -1),
            )
            own = Noise(noise.seed, noise.index[index].to(past.device)).fork(number)
            last = None if residual is None else residual[index]
            told = None if after_scale is None else _so_far(model, time, lead, wanted, after_scale)
            groups.append(model.forecaster.step(given, own, last, told))
        latest, residual = (torch.cat(part) for part in zip(*groups, strict=True))
        older = past[:, 1:].expand(len(names), *past[:, 1:].shape[1:])
        past = torch.cat([older, latest[:, None, : past.shape[2]]], 1)
        states = latest.cpu()[rows]
        _check_physical(model, states, wanted, lead, first=usual and number == 0)
        yield State(time, lead, wanted, model.denormalise(states))


def _so_far(
    model: Rollable,
    time: np.datetime64,
    lead: int,
    wanted: tuple[int, ...],
    after_scale: AfterScale[State],
) -> AfterScale[Tensor]:
    """What takes normalised states of a group, and hands on those of the members wanted."""

    def told(step: Intermediate[Tensor]) -> None:
        rows = torch.isin(step.index, torch.tensor(wanted))
        index = step.index[rows]
        if len(index):
            values = model.denormalise(step.data.cpu()[rows])
            state = State(time, lead, tuple(index.tolist()), values)
            after_scale(Intermediate(step.scale, index, state))

    return told


def _in_groups(wanted: tuple[int, ...], size: int) -> tuple[list[int], Tensor]:
    """All members of the groups of those wanted, and the places of the wanted among them."""
    firsts = sorted({name // size * size for name in wanted})
    names = [first + place for first in firsts for place in range(size)]
    places = {name: place for place, name in enumerate(names)}
    return names, torch.tensor([places[name] for name in wanted], dtype=torch.int64)


def _full_hour(time: AnyTime) -> np.datetime64:
    """The time in hours."""
    exact = parse_time(time)
    hour: np.datetime64 = exact.astype("datetime64[h]")
    if hour != exact:
        raise InputError(
            f"Found the initial time {exact.astype('datetime64[s]')}, expected a full hour, as "
            "the time of day is known to the model by the hour."
        )
    return hour


def member_names(members: int | Sequence[int]) -> tuple[int, ...]:
    """Names of members, of their number or names.

    Raises:
        InputError: There are none or too many, or one is below 0 or no whole number.
    """
    if isinstance(members, Collection) and not isinstance(members, str):
        given: Collection[int] = members
    else:
        given = range(whole_number(members, "members"))
    if len(given) > MOST_MEMBERS:
        raise InputError(f"Found {len(given)} members, expected at most {MOST_MEMBERS} members.")
    names = tuple(whole_number(name, "the member") for name in given)
    if not names or min(names) < 0:
        raise InputError(
            f"Found the members {brief(members)}, expected a count of one or more, or names from "
            "0."
        )
    if len(set(names)) < len(names):
        raise InputError(f"Found the members {brief(members)}, expected each name once.")
    return names


def _initial(model: Rollable, initial: NDArray[np.float32] | Tensor) -> Tensor:
    """(k, history, S, H, W) normalised."""
    states = initial if isinstance(initial, Tensor) else torch.from_numpy(np.array(initial))
    states = states.detach().float().cpu()
    wanted = (model.data.history, len(model.data.state_channels), *model.grid.shape)
    given = tuple(states.shape)
    states = states[(None,) * (5 - states.ndim)]
    if tuple(states.shape[1:]) != wanted or not len(states):
        raise InputError(
            f"The initial state has shape {given}, the model needs {wanted} "
            "(states, channels, latitudes, longitudes)."
        )
    count, absent = states.shape[2], model.absent
    if absent is not None:
        absent = absent[:count].cpu()
        states = states.masked_fill(absent, 0.0)
    if not bool(states.isfinite().all()):
        bad = [
            channel.name
            for place, channel in enumerate(model.data.state_channels)
            if not bool(states[:, :, place].isfinite().all())
        ]
        raise InputError(
            f"The initial state has values that are not finite in {', '.join(bad)}: fill them, or "
            "start from another time."
        )
    past = model.normalise(states)
    past = past if absent is None else past.masked_fill(absent, 0.0)
    return past.to(model.forecaster.device)


def _forcing(model: Rollable, forcing: NDArray[np.float32] | None, steps: int) -> Tensor:
    """(steps, F, H, W) normalised; F may be 0."""
    names, device = model.data.forcing, model.forecaster.device
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
    fields = model.normalise_forcing(fields)
    if model.absent is not None:
        fields = fields.masked_fill(model.absent[-len(names) :].cpu(), 0.0)
    return fields.to(device)


def _check_physical(
    model: Rollable, states: Tensor, names: tuple[int, ...], lead: int, *, first: bool
) -> None:
    """Refuse normalised states (m, C, H, W) that no atmosphere has.

    Args:
        model: The model.
        states: Of the members.
        names: Those of the members.
        lead: In hours.
        first: Whether they are one step after states that an atmosphere may have.
    """
    worst = states.abs().nan_to_num(torch.inf, torch.inf).amax((2, 3))
    worst = worst[:, : len(model.data.state_channels)]
    if bool((worst <= EXTREME).all()):
        return
    member, channel = divmod(int(worst.argmax()), worst.shape[1])
    name = model.data.channels[channel].name
    if first:
        remedy = (
            "The initial state is not, so the model is at fault: its file is damaged, or its "
            "training failed. Give another copy, or train it again."
        )
    else:
        remedy = "Start from a state like those the model was trained on, or shorten the forecast."
    raise InputError(
        f"Member {names[member]} blew up at a lead of {lead} h: {name} is more than "
        f"{EXTREME:.0f} standard deviations from its mean. {remedy}"
    )
