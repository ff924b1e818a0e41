"""A mildly random forward process: noise before quantisation, and codes drawn, not rounded.

The forward process of refinement is deterministic, that of diffusion random; the paper leaves open
whether a little randomness helps. Both kinds here act in training only:

    f' = f + noise |f| u,   u ~ N(0, 1),  |f| the root mean square of the sample's features,
    q(c | r) ~ exp(-|r - value(c)|^2 / (temperature D^2)),

with r what the state lacks of f', and D the mean distance of a code of the scale to the code next
to it. The second is the stochastic sampling of RQ-Transformer (Lee et al., 2022, arXiv 2203.01941,
section 3.2.3). Later scales see the states that were drawn, and repair them.

With a strength of 0 each is exactly off. Likelihoods are those of the codes of the deterministic
process.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from refine_core.config.ranges import NonNegativeFloat
from refine_core.embed import ContextT
from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.methods.base import Encode, Method, grid_tokenizer
from refine_core.methods.expectation import digit_vectors
from refine_core.methods.registry import method
from refine_core.noise import Noise
from refine_core.quantizers.base import Quantized
from refine_core.residual import ResidualTokenizer
from refine_core.tokenizer import Corrupt, DataT, Trace

if TYPE_CHECKING:
    from refine_core.refiner import Refiner


@method("stochastic")
class Stochastic(Method[DataT, Tensor, Tensor, ContextT]):
    """Trains on codes of a random forward process.

    Args:
        temperature: Of the codes, in units of the squared distance between neighbouring codes.
        noise: Standard deviation of the features' noise, in units of their root mean square.
    """

    def __init__(self, temperature: NonNegativeFloat = 0.1, noise: NonNegativeFloat = 0.0) -> None:
        super().__init__()
        self.temperature, self.noise = temperature, noise

    def attach(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]") -> None:
        """Refuse tokenisers whose codes cannot be drawn digit by digit."""
        tokenizer = grid_tokenizer(self.name, refiner)
        if not self.temperature:
            return
        if tokenizer.loop == "open":
            raise InputError(
                f"{self.name}: an open loop does not repair codes that are drawn: close it, or "
                "set `temperature` to 0."
            )
        for k in range(len(tokenizer.schedule)):
            if tokenizer.digit_values(k) < 2:
                raise InputError(
                    f"{self.name}: codes of real numbers are not drawn: set `temperature` to 0."
                )
            if bool((_channels(digit_vectors(tokenizer, k)[1]).sum(0) > 1).any()):
                raise InputError(
                    f"{self.name}: the digits of scale {k} share channels, so that they cannot be "
                    "drawn one by one: take another quantiser, or set `temperature` to 0."
                )

    def encode(
        self,
        encode: Encode[Tensor, Tensor],
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
        noise: Noise,
    ) -> Encode[Tensor, Tensor]:
        """The random forward process."""
        own, tokenizer = self.stream(noise), grid_tokenizer(self.name, refiner)

        def run(features: Tensor, corrupt: Corrupt | None) -> Trace[Tensor]:
            if self.noise:
                size = features.square().flatten(1).mean(1).sqrt() * self.noise
                normal = own.normal(-1, *features.shape[1:])
                features = features + size.view(-1, *[1] * (features.ndim - 1)) * normal
            if not self.temperature:
                return encode(features, corrupt)

            def draw(state: Tensor, k: int) -> Quantized:
                dist = code_distribution(tokenizer, features, state, k, self.temperature)
                return tokenizer.lookup(dist.sample(own.fork(k)), k)

            return tokenizer.unroll(tokenizer.start(len(features)), draw, corrupt)

        return run


def code_distribution(
    tokenizer: ResidualTokenizer, features: Tensor, state: Tensor, k: int, temperature: float
) -> CodeDistribution:
    """Distribution q of the codes of scale k that stand for what the state lacks."""
    residual = tokenizer.quantizer(k).project(tokenizer.residual(features, state, k))
    base, vectors = digit_vectors(tokenizer, k)
    own = _channels(vectors)  # a digit's distance is that in its own channels
    apart = (residual - base)[:, :, None] * own
    squared = apart.square().sum(-1)[..., None] + vectors.square().sum(-1)
    squared = squared - 2 * torch.einsum("bngd,gvd->bngv", apart, vectors)
    return CodeDistribution(-squared / (temperature * _neighbours(vectors)))


def _channels(vectors: Tensor) -> Tensor:
    """(g, d), 1 where a digit's vectors (g, v, d) differ, 0 elsewhere."""
    return (vectors != 0).any(1).float()


def _neighbours(vectors: Tensor) -> Tensor:
    """Squared distance of a digit's vectors (g, v, d) to the nearest other one, the mean."""
    apart = torch.cdist(vectors, vectors).square()
    itself = torch.eye(apart.shape[1], dtype=torch.bool, device=apart.device)
    return apart.masked_fill(itself, torch.inf).amin(2).mean().clamp(min=1e-12)
