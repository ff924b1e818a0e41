"""Errors of the trained mean, measured between the stages of training."""

import torch
from torch import Tensor

from weather.data.prepared import Prepared
from weather.data.windows import Windows
from weather.forecaster.build import lower_limits
from weather.forecaster.forecaster import Forecaster
from weather.forecaster.head import ResidualHead
from weather.forecaster.mean import MeanModel

MEASURED = 1024
"""Windows that standard deviations and covariances are measured on."""
ERROR_BYTES = 2**31
"""Bytes of windows whose residuals are held at once; on large grids these are fewer windows."""


def build_forecaster(mean: MeanModel, head: ResidualHead, data: Prepared) -> Forecaster:
    """A forecaster with a trained mean and an untrained head, on the device of the mean."""
    scale = error_scale(mean, Windows(data, "train"))
    unseen = error_scale(mean, Windows(data, "validation"))
    ratio = (unseen / scale).square()
    inflation = ratio.mul(mean.get_buffer("area")).mean((1, 2)).sqrt()
    winds = [channel.is_wind for channel in data.channels]
    moments = (torch.from_numpy(of).float() for of in (data.statistics.mean, data.statistics.std))
    lower = lower_limits(data.channels, *moments)
    forecaster = Forecaster(mean, head, scale, inflation, lower, data.grid, winds)
    return forecaster.to(scale.device)


@torch.no_grad()
def error_scale(mean: MeanModel, windows: Windows) -> Tensor:
    """(C, H, 1) zonal standard deviation of the mean's errors in windows."""
    index, mean = windows.evenly(MEASURED), mean.eval()
    device = mean.get_buffer("area").device
    batches = windows.batches(index, device)
    squares = [mean.errors(*batch).square().sum(0).mean(-1, keepdim=True) for batch in batches]
    scale = (torch.stack(squares).sum(0) / len(index)).sqrt()
    return torch.where(scale > 0, scale, 1.0)  # zero where no cell of a latitude has values


@torch.no_grad()
def scaled_residuals(forecaster: Forecaster, windows: Windows) -> Tensor:
    """(n, C, H, W) scaled residuals of training windows spread over the part."""
    forecaster = forecaster.eval()
    index = windows.evenly(min(MEASURED, windows.within(ERROR_BYTES)))
    batches = windows.batches(index, forecaster.device)
    return torch.cat([forecaster.residual(*batch, in_sample=True)[0] for batch in batches])
