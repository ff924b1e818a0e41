"""Heads that refinement is compared with: no residual, past ones, noise, diffusion, CRPS."""

import warnings
from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

from refine_core.errors import InputError
from refine_core.noise import Noise
from weather.fields.grid import Grid
from weather.forecaster.config import HeadConfig
from weather.forecaster.correction import from_waves, zonal_waves
from weather.forecaster.head import ResidualHead
from weather.forecaster.inputs import CLOCK, HeadContext
from weather.forecaster.network import StateNetwork, fourier


class NoHead(ResidualHead):
    """No residual: the deterministic mean alone."""

    def __init__(self, channels: int, grid: Grid) -> None:
        super().__init__()
        self.shape = (channels, *grid.shape)

    @property
    def calls(self) -> int:
        """None."""
        return 0

    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Zeros (b, C, H, W)."""
        return context.maps.new_zeros(len(noise.index), *self.shape)

    def forward(self, residual: Tensor, context: HeadContext, noise: Noise) -> dict[str, Tensor]:
        """No losses: there is nothing to train."""
        return {}


class BankHead(NoHead):
    """Residuals of the training part, drawn at random whatever the state: dressing by errors.

    Roulston and Smith (2003, Tellus 55A, 16-30) dress forecasts so, at single points.

    Args:
        grid: The grid of the data.
        channels: Maps C.
        size: Count of residuals that are kept.
    """

    def __init__(self, grid: Grid, channels: int, size: int = 1024) -> None:
        super().__init__(channels, grid)
        self.register_buffer("kept", torch.zeros(size, *self.shape))

    def estimate(self, residuals: Tensor) -> None:
        """Keep scaled residuals (n, C, H, W), each as often as others if they are few."""
        kept = self.get_buffer("kept")
        kept.copy_(residuals[torch.arange(len(kept), device=residuals.device) % len(residuals)])

    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        kept = self.get_buffer("kept")
        drawn: Tensor = kept[(noise.uniform(0) * len(kept)).long()]
        return drawn


class GaussianHead(NoHead):
    """Gaussian noise with the covariance of the mean's errors, whatever the state.

    Zonal waves of one number have their own covariance between all channels and latitudes, and
    waves of two numbers none, as where the statistics of errors depend on longitude no more than
    their scale does (Daley 1991, Atmospheric Data Analysis, chapter 4). Of each the leading
    eigenvectors are kept; the rest of the variance is that of independent waves, by channel and
    latitude.

    Args:
        grid: The grid of the data.
        channels: Maps C.
        rank: Count of eigenvectors for each wave.
    """

    def __init__(self, grid: Grid, channels: int, rank: int = 128) -> None:
        super().__init__(channels, grid)
        waves = grid.shape[1] // 2 + 1
        rank = min(rank, channels * grid.shape[0])
        self.register_buffer("modes", torch.zeros(waves, rank, 2, channels * grid.shape[0]))
        self.register_buffer("rest", torch.zeros(waves, channels * grid.shape[0]))

    def estimate(self, residuals: Tensor) -> None:
        """Set the covariance to that of scaled residuals (n, C, H, W)."""
        modes, rest = self.get_buffer("modes"), self.get_buffer("rest")
        for number, wave in enumerate(zonal_waves(residuals).flatten(1, 2).unbind(-1)):
            covariance = wave.T @ wave.conj() / len(wave)
            values, vectors = torch.linalg.eigh(covariance)
            leading = (vectors * values.clamp(min=0).sqrt()).T.flip(0)[: modes.shape[1]]
            left = covariance.diagonal().real - leading.abs().square().sum(0)
            modes[number] = torch.stack([leading.real, leading.imag], 1)
            rest[number] = left.clamp(min=0).sqrt()

    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        modes, rest = self.get_buffer("modes"), self.get_buffer("rest")
        real, imaginary = modes.unbind(2)
        large = torch.einsum(
            "bmr,mrk->bmk",
            _circular(noise, 0, modes.shape[:2], self.shape[2]),
            torch.complex(real, imaginary),
        )
        waves = large + _circular(noise, 1, rest.shape, self.shape[2]) * rest
        waves = waves.transpose(1, 2)
        residual: Tensor = from_waves(waves.unflatten(1, self.shape[:2]), self.shape[2])
        return residual


def _circular(noise: Noise, call: int, shape: Sequence[int], width: int) -> Tensor:
    """(b, *shape) complex numbers of variance one, by zonal wave in the first place of `shape`.

    The first wave of maps of a `width` is real, and the last one where that is even: theirs have
    twice the variance, as one part is lost.
    """
    drawn = torch.view_as_complex(noise.normal(call, *shape, 2)) / 2**0.5
    drawn[:, [0, -1] if width % 2 == 0 else [0]] *= 2**0.5
    return drawn


class DiffusionHead(ResidualHead):
    """EDM diffusion of the residual (Karras et al., 2022, arXiv 2206.00364), Heun's sampler.

    Noise levels are spaced and sampled as in GenCast (arXiv 2312.15796): from 80 to 0.02 with
    rho = 7.

    Raises:
        InputError: The library that it samples with is not installed.
    """

    HIGHEST, LOWEST, RHO, WIDTH = 80.0, 0.02, 7.0, 32

    def __init__(self, grid: Grid, inputs: int, channels: int, config: HeadConfig) -> None:
        super().__init__()
        if find_spec("diffusers") is None:
            raise InputError(
                "The diffusion control samples with the library diffusers, which is not "
                "installed: pip install 'refine[weather]'."
            )
        self.shape = (channels, *grid.shape)
        self.levels = config.levels
        self.network = StateNetwork(
            grid, inputs + channels, channels, CLOCK + self.WIDTH, config.network
        )

    @property
    def calls(self) -> int:
        """Network calls that a sample takes."""
        return 2 * self.levels - 1

    def forward(self, residual: Tensor, context: HeadContext, noise: Noise) -> dict[str, Tensor]:
        """Training loss, weighted over levels as in EDM."""
        sigma = self.level(noise.uniform(0))
        noisy = residual + sigma[:, None, None, None] * noise.normal(1, *self.shape)
        error = (self.denoise(noisy, sigma, context) - residual).square().mean((1, 2, 3))
        return {"loss": (error * (sigma**2 + 1) / sigma**2).mean()}

    def denoise(self, noisy: Tensor, sigma: Tensor, context: HeadContext) -> Tensor:
        """Expected residual (b, C, H, W) given a noisy one of levels sigma (b,)."""
        level = sigma[:, None, None, None]
        root = (level**2 + 1).sqrt()
        condition = torch.cat([context.clock, fourier(1 + sigma.log() / 4, self.WIDTH)], 1)
        out, _ = self.network(torch.cat([context.maps, noisy / root], 1), condition)
        clean: Tensor = noisy / root**2 + out * level / root
        return clean

    def level(self, place: Tensor) -> Tensor:
        """Noise level at places in [0, 1], the highest at 0."""
        high, low = self.HIGHEST ** (1 / self.RHO), self.LOWEST ** (1 / self.RHO)
        out: Tensor = (high + place * (low - high)) ** self.RHO
        return out

    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        from diffusers import HeunDiscreteScheduler

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # numpy's, of its copies
            scheduler = HeunDiscreteScheduler(prediction_type="sample")
            scheduler.set_timesteps(self.levels)
        sigma = self.level(torch.linspace(0, 1, self.levels))
        scheduler.sigmas = torch.cat([sigma[:1], sigma[1:].repeat_interleave(2), torch.zeros(1)])
        scheduler.set_begin_index(0)
        x = self.HIGHEST * noise.normal(0, *self.shape)
        for call, time in enumerate(scheduler.timesteps):
            # Heun's second call of a step is made at the level that the step ends on.
            now = scheduler.sigmas[call].to(x.device).expand(len(x))
            x = scheduler.step(self.denoise(x, now, context), time, x).prev_sample
        return x


class CRPSHead(ResidualHead):
    """A residual from noise in one call, trained on the almost-fair CRPS.

    As AIFS-CRPS (Lang et al., 2024, arXiv 2412.15832), with alpha = 0.95; noise enters as maps.
    """

    NOISE, ALPHA = 4, 0.95

    def __init__(self, grid: Grid, inputs: int, channels: int, config: HeadConfig) -> None:
        super().__init__()
        self.members = config.members
        self.noise = (self.NOISE, *grid.shape)
        self.network = StateNetwork(grid, inputs + self.NOISE, channels, CLOCK, config.network)

    @property
    def calls(self) -> int:
        """One."""
        return 1

    def sample(self, context: HeadContext, noise: Noise) -> Tensor:
        """Residuals (b, C, H, W)."""
        maps = torch.cat([context.maps, noise.normal(0, *self.noise)], 1)
        residual: Tensor = self.network(maps, context.clock)[0]
        return residual

    def forward(self, residual: Tensor, context: HeadContext, noise: Noise) -> dict[str, Tensor]:
        """Training loss: the almost-fair CRPS of `members` samples, averaged over the map."""
        count = self.members
        sampled = torch.stack([self.sample(context, noise.fork(m)) for m in range(count)])
        pairs = (sampled[:, None] - sampled[None]).abs().sum((0, 1))
        fair = count * (count - 1)
        share = self.ALPHA / fair + (1 - self.ALPHA) / count**2
        crps = (sampled - residual).abs().mean(0) - 0.5 * share * pairs
        return {"loss": crps.mean()}
