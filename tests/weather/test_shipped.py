"""The shipped model and the bundled sample."""

import numpy as np

from weather.forecast.initial_states import InitialStates
from weather.metrics.ensemble import crps
from weather.model import load
from weather.samples import STATES


def test_the_shipped_model_beats_persistence_on_the_sample() -> None:
    model = load("gcm")
    sample = InitialStates.open(str(STATES), model)
    area = model.grid.area()[:, None]
    start, step = np.datetime64("2019-11-20T00", "ns"), np.timedelta64(24, "h")
    initial = sample.states(start)
    states = list(model.rollout(initial, start, members=5, steps=2, seed=1))
    for state in states:
        truth = sample.states(start + np.timedelta64(state.lead_hours, "h"))[0]
        mine = (crps(state.values[:, : len(truth)].numpy(), truth) * area).mean((1, 2))
        persisted = (np.abs(initial[-1] - truth) * area).mean((1, 2))
        assert (mine < 0.75 * persisted).all()
        humidity = [c.variable == "specific_humidity" for c in model.channels]
        assert (state.values[:, humidity] >= 0).all()
    assert states[-1].time == start + 2 * step


def test_members_are_the_same_to_the_last_bit_whoever_is_asked_for() -> None:
    """After some days the smallest difference of rounding would be a large one."""
    model = load("gcm")
    start = np.datetime64("2019-11-10T00", "ns")
    initial = InitialStates.open(str(STATES), model).states(start)
    (*_, all_of_them) = model.rollout(initial, start, members=8, steps=2)
    (*_, some) = model.rollout(initial, start, members=[7, 1, 3], steps=2)
    assert bool((all_of_them.values[[7, 1, 3]] == some.values).all())
