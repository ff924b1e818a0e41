"""What single steps determine of a correction: climatology, gain, pace and memory."""

import torch
from torch import Tensor

from refine_core.noise import Noise
from weather.calibration.single_step import fit_single_step, set_climatology
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.fields.climatology import climatology_at
from weather.forecaster.correction import zonal_waves
from weather.model import WeatherModel


def test_the_climatology_is_that_of_the_data(model: WeatherModel, data: Prepared) -> None:
    set_climatology(model, data)
    usual = model.denormalise(model.forecaster.correction.climatology(data.times[5:7]))
    found = torch.from_numpy(climatology_at(data.climatology, data.times[5:7]))
    assert torch.allclose(usual, found, rtol=1e-4, atol=1e-4 * float(found.abs().max()))


def test_residuals_get_the_power_of_errors(model: WeatherModel, data: Prepared) -> None:
    climate = set_climatology(model, data)
    fit_single_step(model, data, climate, seed=0)
    windows = Windows(data, "validation")
    index = torch.arange(len(windows))
    given, future, _ = model.forecaster.mean.unpack(windows[index], Noise(0, index))
    mean, drawn = model.forecaster.sample(given, Noise(0, index))
    residual, _ = model.forecaster.correction.residual(drawn, None)

    def power(x: Tensor) -> Tensor:
        return zonal_waves(x).abs().square().mean((0, 2, 3))

    assert torch.allclose(power(residual), power(future - mean), rtol=0.25)
