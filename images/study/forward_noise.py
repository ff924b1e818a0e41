"""The mild randomness of the forward process: noise of known scale on real-valued codes."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from refine_core.device import full_precision
from refine_core.heads.distribution import Distribution
from refine_core.heads.gaussian import GaussianMixture
from refine_core.methods.base import Encode, Method, SamplingRun
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.caller import Call, Wrapped
from refine_core.tokenizer import Corrupt, Trace

ImageRefiner = Refiner[Tensor, Tensor, Tensor, Tensor]
FORWARD = 1
"""Fork of the noise that the forward process takes in bits."""


class ForwardNoise(Method[Tensor, Tensor, Tensor, Tensor]):
    """Gaussian noise of known scale on the real-valued codes of each scale, in training.

    The noisy code is the target, and what the state is refined with, so that a closed loop's later
    scales repair it.

    Args:
        sigma: (K,) standard deviation of each scale's noise; 0 is none.
    """

    name = "forward_noise"
    sigma: Tensor

    def __init__(self, sigma: Tensor) -> None:
        super().__init__()
        self.register_buffer("sigma", sigma.clone().float())

    def trace(
        self,
        tokenizer: ResidualTokenizer,
        features: Tensor,
        noise: Noise | None,
        corrupt: Corrupt | None = None,
        *,
        finest: bool = True,
    ) -> tuple[Trace[Tensor], Tensor]:
        """Codes and states of the random forward process, and log q (b,) of its codes.

        Without noise it is the deterministic one, of which log q is zero; with `finest` False, the
        finest size has none.
        """
        sigmas = (self.sigma if finest else self._coarse(tokenizer)).tolist()
        log_q = features.new_zeros(len(features), dtype=torch.float64)

        def draw(state: Tensor, k: int) -> Quantized:
            nonlocal log_q
            choice = tokenizer.quantize(features, state, k)
            sigma = sigmas[k]
            if noise is None or sigma == 0:
                return choice
            normal = noise.fork(k).normal(0, *choice.code.shape[1:])
            own = normal.double().square() + math.log(2 * math.pi * sigma**2)
            log_q = log_q - own.flatten(1).sum(1) / 2
            return Quantized.known(choice.code + sigma * normal)

        # Under autocast, resampling would round codes and states more than the noise moves them.
        with full_precision(features.device):
            trace = tokenizer.unroll(tokenizer.start(len(features)), draw, corrupt)
        return trace, log_q

    def encode(
        self, encode: Encode[Tensor, Tensor], refiner: ImageRefiner, noise: Noise
    ) -> Encode[Tensor, Tensor]:
        """The random forward process."""
        tokenizer, own = refiner.tokenizer, self.stream(noise)
        assert isinstance(tokenizer, ResidualTokenizer)

        def run(features: Tensor, corrupt: Corrupt | None) -> Trace[Tensor]:
            return self.trace(tokenizer, features, own, corrupt)[0]

        return run

    def call(
        self, call: Call[Tensor], refiner: ImageRefiner, run: SamplingRun[Tensor]
    ) -> Call[Tensor]:
        """Gaussian codes of the finest size are drawn without the noise, which no scale repairs.

        Those of a flow's end point keep it, for its law has no closed form.
        """
        assert isinstance(refiner.tokenizer, ResidualTokenizer)
        sigma = self.sigma - self._coarse(refiner.tokenizer)
        return _Denoised(call, sigma.tolist()) if bool(sigma.any()) else call

    def _coarse(self, tokenizer: ResidualTokenizer) -> Tensor:
        """Deviation (K,) of each scale's noise, 0 at the finest size."""
        schedule = tokenizer.schedule
        finest = [scale.size == schedule[-1].size for scale in schedule]
        return torch.where(torch.tensor(finest, device=self.sigma.device), 0, self.sigma)


class _Denoised(Wrapped[Tensor]):
    """Laws of codes without the noise of the forward process.

    Args:
        inner: Gives laws with it.
        sigma: Its standard deviation at each scale; 0 changes nothing.
    """

    def __init__(self, inner: Call[Tensor], sigma: list[float]) -> None:
        super().__init__(inner)
        self.sigma = sigma

    def __call__(self, state: Tensor, k: int, guidance: float = 0.0) -> Distribution:
        """Law of the codes of scale k."""
        law = self.inner(state, k, guidance)
        if isinstance(law, GaussianMixture) and self.sigma[k] > 0:
            return law.denoised(self.sigma[k])
        return law


@dataclass(frozen=True)
class Forward:
    """Strength of the forward process's noise.

    Args:
        coarse: Noise of the scales before the finest size, in units of how far the scale's codes
            spread.
        finest: Noise of the finest size, in the units of the features (pixels are in [-1, 1]).
    """

    coarse: float = 0.0
    finest: float = 0.0


NO_NOISE = Forward()


@dataclass(frozen=True)
class Units:
    """Where the real-valued codes of each scale lie.

    Args:
        mean: (K, d) mean of a channel.
        spread: (K, d) standard deviation of a channel.
        sigma: (K,) noise of the forward process.
    """

    mean: Tensor
    spread: Tensor
    sigma: Tensor

    @classmethod
    @torch.no_grad()
    def measure(cls, tokenizer: ResidualTokenizer, images: Tensor, forward: Forward) -> "Units":
        """Measure them on images, scale by scale, as noise is added."""
        noise, finest = Noise.range(0, len(images)), tokenizer.schedule[-1].size
        features = tokenizer.features(images, noise)
        state = tokenizer.start(len(images))
        mean, spread, sigmas = [], [], []
        for k, scale in enumerate(tokenizer.schedule):
            code = tokenizer.quantize(features, state, k).code
            own = code.flatten(0, 1)
            whole = float((own - own.mean(0)).square().mean().sqrt())
            sigma = forward.finest if scale.size == finest else forward.coarse * whole
            if sigma:
                code = code + sigma * noise.fork(FORWARD).fork(k).normal(0, *code.shape[1:])
                own = code.flatten(0, 1)
            mean.append(own.mean(0))
            spread.append(own.std(0).clamp(min=1e-4))
            sigmas.append(sigma)
            state = tokenizer.add(state, code, k)
        return cls(torch.stack(mean), torch.stack(spread), torch.tensor(sigmas))
