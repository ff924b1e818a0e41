"""The shipped model and the bundled sample."""

import numpy as np

from weather.initial import InitialStates
from weather.metrics.ensemble import crps
from weather.sample import STATES
from weather.trained import load


def test_the_shipped_model_beats_persistence_on_the_sample() -> None:
    model = load("gcm")
    sample = InitialStates.open(str(STATES), model)
    area = model.grid.area()[:, None]
    start, step = np.datetime64("2003-11-20T00", "ns"), np.timedelta64(24, "h")
    initial = sample.states(start)
    states = list(model.rollout(initial, start, members=6, steps=2, seed=1))
    for state in states:
        truth = sample.states(start + np.timedelta64(state.lead_hours, "h"))[0]
        mine = (crps(state.values.numpy(), truth) * area).mean((1, 2))
        persisted = (np.abs(initial[-1] - truth) * area).mean((1, 2))
        assert (mine < 0.75 * persisted).all()
        humidity = [c.variable == "specific_humidity" for c in model.channels]
        assert (state.values[:, humidity] >= 0).all()
    assert states[-1].time == start + 2 * step
    again = next(model.rollout(initial, start, members=[3], steps=1, seed=1)).values[0]
    np.testing.assert_allclose(again, states[0].values[3], rtol=1e-4, atol=1e-2)
