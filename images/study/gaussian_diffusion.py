"""Gaussian diffusion of pixels or latents (Ho et al., 2020, arXiv 2006.11239).

The process is that of the cosine schedule (Nichol and Dhariwal, 2021, arXiv 2102.09672),

    a(t) = cos(phi t),     s(t) = sin(phi t),     tan(phi) = 80,

which ends where EDM starts (Karras et al., 2022, arXiv 2206.00364) and not at the original's ratio
of noise to signal of 20000: over so long a first step Heun's method, in units of that ratio, is
unstable. The network predicts v = a e - s x (Salimans and Ho, 2022, arXiv 2202.00512): sampling in
a few steps takes most of its values where z is all but noise, and there the clean values of a
network that predicts e are its errors times s / a, of one that predicts v its errors.

Samplers are those of the library diffusers, told these betas and "trailing" steps, the first of
which is the noisiest (Lin et al., 2023, arXiv 2305.08891).
"""

import math
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Protocol

import torch
from torch import Tensor

from images.study.backbone import Backbone
from images.study.continuous_diffusion import NOISE, ContinuousDiffusion
from images.study.model import Setting
from images.study.spaces import Space
from refine_core.errors import InputError
from refine_core.noise import Noise

STEPS = 1000
"""Steps into which diffusers divides time; a sampler makes some of them."""
ANGLE = math.atan(80.0)


class GaussianDiffusion(ContinuousDiffusion):
    """Diffusion with a v-prediction.

    The rate of its bound is that of infinitely many steps (VDM, Kingma et al., 2021, arXiv
    2107.00630, eq. 14 and 17): with SNR = a^2 / s^2,

        KL(q(z_1 | x), N(0, 1)) + 1/2 integral of |dSNR/dt| |x - x^(z_t, t)|^2 over t above t0.

    The integral is estimated at `draws` times, half of them uniform in t and half in log SNR, one
    in each stratum.

    Args:
        space: See `ContinuousDiffusion`.
        backbone: See `ContinuousDiffusion`.
        end: See `ContinuousDiffusion`.
        dropout: See `ContinuousDiffusion`.
        draws: Calls of the network that the rate of an image is estimated with; even.

    Raises:
        InputError: The library that it samples with is not installed.
    """

    samplers = ("ddpm", "dpm-solver++", "ddim", "heun")  # of as many calls the first is judged

    def __init__(
        self,
        space: Space,
        backbone: Backbone,
        *,
        end: float = 0.02,
        dropout: float = 0.1,
        draws: int = 20,
    ) -> None:
        if find_spec("diffusers") is None:
            raise InputError(
                "Gaussian diffusion samples with the library diffusers, which is not installed: "
                "pip install 'refine[study]'."
            )
        super().__init__(space, backbone, end=end, dropout=dropout)
        self.draws = draws

    def settings(self) -> list[Setting]:
        """Every sampler at 1 to 100 calls; Heun's calls are odd."""
        counts = (1, 2, 4, 6, 8, 10, 16, 32, 50, 100)
        even = [(calls, name) for name in self.samplers if name != "heun" for calls in counts]
        odd = [(calls, "heun") for calls in (3, 5, 7, 9, 15, 31, 51, 99)]
        order = sorted(even + odd, key=lambda each: (each[0], self.samplers.index(each[1])))
        return [Setting(calls, name) for calls, name in order]

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of phi t."""
        angle = ANGLE * time[:, None, None, None]
        return angle.cos(), angle.sin()

    def target(self, clean: Tensor, white: Tensor, time: Tensor) -> Tensor:
        """V = a e - s x."""
        a, s = self.scales(time)
        return a * white - s * clean

    def expected(self, noisy: Tensor, out: Tensor, time: Tensor) -> Tensor:
        """A z - s v."""
        a, s = self.scales(time)
        return a * noisy - s * out

    def estimates(self, noise: Noise, labels: Tensor, setting: Setting) -> Iterator[Tensor]:
        """Clean values at each call of the sampler's; the last are those that it ends with."""
        scheduler = _scheduler(setting)
        sampling = {"generator": _generators(noise)} if setting.sampler == "ddpm" else {}
        z, last = self.start(noise) * scheduler.init_noise_sigma, len(scheduler.timesteps) - 1
        for call, step in enumerate(scheduler.timesteps):
            entering = scheduler.scale_model_input(z, step)
            time = (float(step) + 1) / STEPS
            clean = self.clean(entering, time, labels, setting.guidance)
            (z, *_) = scheduler.step(clean, step, z, return_dict=False, **sampling)
            yield z if call == last else clean

    def call_time(self, call: int, setting: Setting) -> float:
        """Time of the library's step."""
        return (float(_scheduler(setting).timesteps[call]) + 1) / STEPS

    def rate(self, values: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """Divergence (b,) of the process above t0 from the model's, in nats."""
        last, first = math.cos(ANGLE) ** 2, float(self.end) * ANGLE
        squares = values.double().square().flatten(1)
        total = (last * (squares - 1) - math.log(1 - last)).sum(1) / 2
        span, octaves = ANGLE - first, math.log(math.tan(ANGLE) / math.tan(first))
        half = self.draws // 2
        offset = noise.uniform(0, 2 * half).double()
        for draw in range(2 * half):
            place = (draw % half + offset[:, draw]) / half
            angle = first + span * place
            if draw >= half:
                angle = (math.tan(first) * (octaves * place).exp()).atan()
            density = (1 / span + 1 / (angle.sin() * angle.cos() * octaves)) / 2
            time = (angle / ANGLE).float()
            z = self.noisy(values, noise.normal(NOISE + draw, *values.shape[1:]), time)
            clean = self.space.bound(self.expected(z, self.backbone(z, time, labels), time))
            error = (clean - values).double().square().flatten(1).sum(1)
            slope = angle.cos() / angle.sin() ** 3
            total = total + slope / density * error / (2 * half)
        return total


class _Scheduler(Protocol):
    """What is asked of a scheduler of diffusers."""

    timesteps: Tensor
    init_noise_sigma: float

    def scale_model_input(self, sample: Tensor, timestep: Tensor) -> Tensor: ...

    def step(
        self,
        model_output: Tensor,
        timestep: Tensor,
        sample: Tensor,
        *,
        generator: list[torch.Generator] = ...,
        return_dict: bool,
    ) -> tuple[Tensor, ...]: ...


def _scheduler(setting: Setting) -> _Scheduler:
    """The scheduler of diffusers that is the sampler, with its steps set.

    Raises:
        InputError: It does not make so many calls.
    """
    import diffusers

    kinds = {
        "ddpm": diffusers.DDPMScheduler,
        "ddim": diffusers.DDIMScheduler,
        "dpm-solver++": diffusers.DPMSolverMultistepScheduler,
        "heun": diffusers.HeunDiscreteScheduler,
    }
    # The space has its own limits; DPM-Solver++ knows none.
    options = {} if setting.sampler == "dpm-solver++" else {"clip_sample": False}
    if setting.sampler == "heun":
        options["use_karras_sigmas"] = True  # those that it was published with
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # numpy's, of its copies
        scheduler = kinds[setting.sampler](
            STEPS,
            trained_betas=_betas(),
            prediction_type="sample",
            timestep_spacing="trailing",
            **options,
        )
        steps = (setting.calls + 1) // 2 if setting.sampler == "heun" else setting.calls
        scheduler.set_timesteps(steps)
    if len(scheduler.timesteps) != setting.calls:
        raise InputError(
            f"Found {setting.calls} calls for the sampler {setting.sampler}, which makes "
            f"{len(scheduler.timesteps)} here: Heun's are odd, and 61 steps round to 62."
        )
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(0)
    return scheduler  # type: ignore[no-any-return]


def _betas() -> list[float]:
    """Shares of noise that the steps add, 1 - a(t)^2 / a(t - 1/1000)^2."""
    power = (ANGLE * torch.linspace(0, 1, STEPS + 1, dtype=torch.float64)).cos().square()
    betas: list[float] = (1 - power[1:] / power[:-1]).tolist()
    return betas


def _generators(noise: Noise) -> list[torch.Generator]:
    """One generator for each sample, seeded by its name."""
    parts = (noise.fork(1).uniform(0, 2).double() * 2**24).long()
    seeds = (parts[:, 0] * 2**24 + parts[:, 1]).tolist()
    return [torch.Generator(noise.index.device).manual_seed(seed) for seed in seeds]
