"""Flow matching of pixels or latents along straight paths (rectified flow).

z_t = (1 - t) x + t e, and the network predicts the velocity u = e - x (Lipman et al., 2023,
arXiv 2210.02747; Liu et al., 2023, arXiv 2209.03003). Sampling integrates dz/dt = E[u | z] from
white noise at t = 1 to t = 0. The density of z_t0 is exact up to the integration (the
instantaneous change of variables, Chen et al., 2018, arXiv 1806.07366),

    log p(z_t0) = log N(z_1; 0, 1) + integral of div E[u | z] over t from t0 to 1,

with the divergence by Hutchinson's estimate, one probe for an image along its whole path, as in
FFJORD (arXiv 1810.01367), or exactly, with a product for each dimension.
"""

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from images.study.backbone import Backbone
from images.study.continuous_diffusion import NOISE, ContinuousDiffusion
from images.study.model import Setting
from images.study.spaces import Space
from refine_core.errors import InputError
from refine_core.noise import Noise


class FlowMatching(ContinuousDiffusion):
    """Flow matching.

    Args:
        space: See `ContinuousDiffusion`.
        backbone: See `ContinuousDiffusion`.
        end: Time t0 at which the decoder takes over, in bits.
        dropout: See `ContinuousDiffusion`.
        steps: Runge-Kutta steps of four calls each that the density is integrated with.
        trace: How divergences are computed.
    """

    samplers = ("euler", "heun")

    def __init__(
        self,
        space: Space,
        backbone: Backbone,
        *,
        end: float = 0.02,
        dropout: float = 0.1,
        steps: int = 20,
        trace: Literal["hutchinson", "exact"] = "hutchinson",
    ) -> None:
        super().__init__(space, backbone, end=end, dropout=dropout)
        self.steps, self.trace = steps, trace

    def settings(self) -> list[Setting]:
        """Both samplers at 1 to 100 calls; Heun's calls are odd, as its last step is Euler's."""
        euler = [(calls, "euler") for calls in (1, 2, 4, 6, 8, 10, 16, 32, 50, 100)]
        heun = [(calls, "heun") for calls in (3, 5, 7, 9, 15, 31, 51, 99)]
        return [Setting(calls, name) for calls, name in sorted(euler + heun)]

    def scales(self, time: Tensor) -> tuple[Tensor, Tensor]:
        """1 - t and t."""
        noise = time[:, None, None, None]
        return 1 - noise, noise

    def times(self, uniform: Tensor) -> Tensor:
        """Times at which t / (1 - t) is the tangent of a uniform angle.

        So flows are trained on the noise levels of the cosine schedule. Of large models the
        density, 1 / (t^2 + (1 - t)^2), did better than the uniform one (Esser et al., 2024, arXiv
        2403.03206, "CosMap").
        """
        tangent = (uniform * math.pi / 2).tan()
        return tangent / (1 + tangent)

    def target(self, clean: Tensor, white: Tensor, time: Tensor) -> Tensor:
        """The velocity e - x."""
        return white - clean

    def expected(self, noisy: Tensor, out: Tensor, time: Tensor) -> Tensor:
        """Where the velocity leads: z - t u."""
        return noisy - time[:, None, None, None] * out

    def estimates(self, noise: Noise, labels: Tensor, setting: Setting) -> Iterator[Tensor]:
        """Clean values at each call, on equal steps of time."""
        heun = setting.sampler == "heun"
        if heun and setting.calls % 2 == 0:
            raise InputError(
                f"Found {setting.calls} calls for Heun's sampler, whose last step is Euler's: "
                "give an odd number."
            )
        z, count = self.start(noise), (setting.calls + 1) // 2 if heun else setting.calls
        for step in range(count, 0, -1):
            time, after = step / count, (step - 1) / count
            clean = self.clean(z, time, labels, setting.guidance)
            yield clean
            velocity = (z - clean) / time
            if heun and after:
                ahead = z + (after - time) * velocity
                again = self.clean(ahead, after, labels, setting.guidance)
                yield again
                velocity = (velocity + (ahead - again) / after) / 2
            z = z + (after - time) * velocity

    def call_time(self, call: int, setting: Setting) -> float:
        """Time on the equal steps; Heun's second call of a step looks at its end."""
        if setting.sampler == "heun":
            return 1 - (call + 1) // 2 / ((setting.calls + 1) // 2)
        return 1 - call / setting.calls

    def rate(self, values: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """Log q(z | x) - log p(z) (b,) of one z at time t0 for each image, in nats."""
        white = noise.normal(NOISE, *values.shape[1:])
        z = self.noisy(values, white, self.end.expand(len(values)))
        own = _log_normal(white) - math.log(self.end) * white[0].numel()
        return own - self.log_density(z, labels, noise)

    def log_density(self, z: Tensor, labels: Tensor, noise: Noise) -> Tensor:
        """Log-density (b,), in nats, of values z at time t0; float64.

        Steps are shorter where time is small: equal steps of its square root.
        """
        probes = self._probes(z, noise)
        marks = torch.linspace(float(self.end) ** 0.5, 1, self.steps + 1).square().tolist()
        grown = z.new_zeros(len(z), dtype=torch.float64)
        for time, after in zip(marks, marks[1:], strict=False):
            span = after - time
            parts = [self._slope(z, time, labels, probes)]
            for share in (0.5, 0.5, 1.0):
                ahead = z + share * span * parts[-1][0]
                parts.append(self._slope(ahead, time + share * span, labels, probes))
            for weight, (velocity, divergence) in zip((1, 2, 2, 1), parts, strict=True):
                z = z + weight * span / 6 * velocity
                grown = grown + weight * span / 6 * divergence
        return _log_normal(z) + grown

    def _slope(
        self, z: Tensor, time: float, labels: Tensor, probes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Velocity and its divergence (b,)."""
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            velocity = (z - self.clean(z, time, labels)) / time
            found = z.new_zeros(len(z), dtype=torch.float64)
            for probe in probes:
                (product,) = torch.autograd.grad(velocity, z, probe, retain_graph=True)
                found = found + (product * probe).flatten(1).sum(1)
        return velocity.detach(), found

    def _probes(self, z: Tensor, noise: Noise) -> Tensor:
        """(p, b, c, h, w): a sign for each dimension, or each dimension's unit vector."""
        shape = z.shape[1:]
        if self.trace == "hutchinson":
            return (noise.uniform(NOISE + 1, *shape) < 0.5).to(z)[None] * 2 - 1
        units = torch.eye(math.prod(shape), device=z.device).view(-1, 1, *shape)
        return units.expand(-1, len(z), *shape)


def _log_normal(z: Tensor) -> Tensor:
    """Log-density (b,), float64, of standard normal values."""
    squares = z.double().square() + math.log(2 * math.pi)
    return -squares.flatten(1).sum(1) / 2
