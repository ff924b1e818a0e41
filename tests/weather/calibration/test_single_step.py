"""What single steps determine of a correction: gain and memory."""

import torch
from torch import Tensor

from refine_core.noise import Noise
from weather.calibration.single_step import fit_single_step
from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.correction import smooth, zonal_waves
from weather.model import WeatherModel


def one_step(model: WeatherModel, data: Prepared) -> tuple[Tensor, Tensor, Tensor]:
    """Next states of all validation windows, their mean, and residuals; nothing is corrected."""
    windows = Windows(data, "validation")
    index = torch.arange(len(windows))
    given, future, _ = model.forecaster.mean.unpack(windows[index], Noise(0, index))
    return future, *model.forecaster.sample(given, Noise(0, index))


def test_residuals_get_the_power_of_errors(model: WeatherModel, data: Prepared) -> None:
    fit_single_step(model, data, seed=0)
    future, mean, drawn = one_step(model, data)
    residual, _ = model.forecaster.correction.residual(drawn, None)

    def power(x: Tensor) -> Tensor:
        return zonal_waves(x).abs().square().mean((0, 2, 3))

    error = future - model.forecaster.correction.mean(mean)
    assert torch.allclose(power(residual), power(error), rtol=0.25)


def test_the_regressed_mean_errs_less_and_small_waves_most(
    model: WeatherModel, data: Prepared
) -> None:
    fit_single_step(model, data, seed=0)
    future, mean, _ = one_step(model, data)
    errors = (future - mean, future - model.forecaster.correction.mean(mean))
    before, after = (zonal_waves(each).abs().square().mean((0, 1, 2)) for each in errors)
    assert after.sum() < before.sum()
    slope = model.forecaster.correction.slope
    assert slope.min() >= 0 and slope.max() <= 1 and slope.min() < 0.9


def test_residuals_are_large_where_errors_are(model: WeatherModel, data: Prepared) -> None:
    future, mean, drawn = one_step(model, data)
    error = future - mean

    def alike(residual: Tensor) -> float:
        """Correlation of the logarithms of sizes at places of a latitude."""
        sizes = [each.square().mean(0).log() for each in (error, residual)]
        first, second = (size - size.mean(-1, keepdim=True) for size in sizes)
        return float(torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1])

    before = alike(drawn)
    fit_single_step(model, data, seed=0)
    after = alike(model.forecaster.correction.residual(drawn, None)[0])
    assert after > before + 0.2, (before, after)


def test_memory_is_the_correlation_of_errors_a_step_apart(
    model: WeatherModel, data: Prepared
) -> None:
    fit_single_step(model, data, seed=0)
    future, mean, _ = one_step(model, data)
    error = zonal_waves(future - model.forecaster.correction.mean(mean))
    windows = Windows(data, "validation")
    place = {int(start): number for number, start in enumerate(windows.starts)}
    pairs = [(n, place[s + data.stride]) for s, n in place.items() if s + data.stride in place]
    assert len(pairs) > 1
    first, second = (error[list(each)] for each in zip(*pairs, strict=True))
    product = (first * second.conj()).real.mean(0).sum(1, keepdim=True)
    related = product / error.abs().square().mean(0).sum(1, keepdim=True)
    expected = smooth(related).clamp(0.0, 0.9).expand_as(model.forecaster.correction.memory)
    torch.testing.assert_close(model.forecaster.correction.memory, expected)
    assert expected.max() > 0.1
