"""Windows hold what was before and after a start, in units of the training part's spread."""

from pathlib import Path

import numpy as np
import pytest
import torch

from refine_core.errors import InputError
from tests.weather import tiny
from tests.weather.synthetic import atmosphere, config, times
from weather.data.preparation import prepare
from weather.data.prepared import Prepared
from weather.data.time_parts import PARTS, TimeParts, bounds
from weather.data.windows import Windows
from weather.fields.times import clock


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("steps", [1, 3])
def test_what_a_window_holds(made: Prepared, part: str, steps: int) -> None:
    windows = Windows(made, part, steps)  # type: ignore[arg-type]
    assert len(windows) == len(made.starts(part, steps))  # type: ignore[arg-type]
    index = torch.tensor([len(windows) - 1, 0, 2])
    past, future, forcing, when = windows[index]
    assert all(tensor.dtype == torch.float32 for tensor in (past, future, forcing, when))
    assert past.shape == (3, 2, 6, 8, 16)
    assert future.shape == (3, steps, 6, 8, 16)
    source, known, step = atmosphere(), made.statistics, np.timedelta64(12, "h")
    for row, start in enumerate(made.times[windows.starts[index.numpy()]]):
        for tensor, offset in ((past, -1), (future, 1)):
            for k in range(tensor.shape[1]):
                expected = source["temperature"].sel(level=850, time=start + (k + offset) * step)
                found = tensor[row, k, 3].double() * known.std[3] + known.mean[3]
                np.testing.assert_allclose(found, expected, 1e-5)
        for k in range(steps):
            sun = source["toa_incident_solar_radiation"].sel(time=start + (k + 1) * step)
            found = forcing[row, k, 0].double() * known.forcing_std[0] + known.forcing_mean[0]
            np.testing.assert_allclose(found, sun, 1e-4, 1)
            np.testing.assert_array_equal(when[row, k], clock(np.array([start + k * step]))[0])


def test_training_windows_are_normalised(made: Prepared) -> None:
    past, *_ = Windows(made, "train")[torch.arange(76)]
    weight = torch.from_numpy(made.grid.area()).float()[:, None]
    assert (past * weight).mean((0, 1, 3, 4)).abs().max() < 0.1
    assert ((past**2 * weight).mean((0, 1, 3, 4)) - 1).abs().max() < 0.1


def test_windows_without_forcing(folder: Path) -> None:
    windows = Windows(prepare(tiny.config(folder).data, quiet=True), "train", 2)
    past, _, forcing, _ = windows[torch.arange(4)]
    assert past.shape == (4, 2, 6, 8, 16)
    assert forcing.shape == (4, 2, 0, 8, 16)


def test_batches_spread_evenly_over_the_part(made: Prepared) -> None:
    windows = Windows(made, "train")
    index = windows.evenly(5)
    assert index.tolist() == [0, 19, 38, 56, 75]
    assert windows.evenly(1000).tolist() == list(range(76))
    batches = list(windows.batches(index, torch.device("cpu"), size=3, seed=7))
    assert [len(batch[0]) for batch, _ in batches] == [3, 2]
    assert torch.equal(batches[1][0][1], windows[index[3:]][1])
    assert batches[1][1].seed == 7 and torch.equal(batches[1][1].index, index[3:])


@pytest.mark.parametrize("history", [1, 2, 3])
@pytest.mark.parametrize("steps", [1, 4])
def test_starts_stay_in_their_part(history: int, steps: int) -> None:
    data = config(history=history)
    when = np.delete(times(), [20, 21, 130])  # also beside gaps
    for part in PARTS:
        first, end = bounds(data, part)
        step, known = np.timedelta64(12, "h"), set(when)
        expected = [
            place
            for place, time in enumerate(when)
            if all(
                first <= time + k * step < end and time + k * step in known
                for k in range(1 - history, steps + 1)
            )
        ]
        assert TimeParts(when, data).starts(part, steps).tolist() == expected
        assert expected


@pytest.mark.parametrize("text", ["2000", "2000-02", "", "now", "2000-13-01", "2000-02-30"])
def test_days_of_parts_are_whole_dates(text: str) -> None:
    with pytest.raises(InputError, match=f"data.test: found '{text}'"):
        TimeParts(times(), config(test=("2000-01-01", text))).starts("test")
