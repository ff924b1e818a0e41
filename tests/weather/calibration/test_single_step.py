"""What single steps determine of a correction: gain and memory."""

import torch
from torch import Tensor

from refine_core.noise import Noise
from weather.calibration.single_step import fit_single_step
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.correction import zonal_waves
from weather.model import WeatherModel


def test_residuals_get_the_power_of_errors(model: WeatherModel, data: Prepared) -> None:
    fit_single_step(model, data, seed=0)
    windows = Windows(data, "validation")
    index = torch.arange(len(windows))
    given, future, _ = model.forecaster.mean.unpack(windows[index], Noise(0, index))
    mean, drawn = model.forecaster.sample(given, Noise(0, index))
    residual, _ = model.forecaster.correction.residual(drawn, None)

    def power(x: Tensor) -> Tensor:
        return zonal_waves(x).abs().square().mean((0, 2, 3))

    assert torch.allclose(power(residual), power(future - mean), rtol=0.25)
