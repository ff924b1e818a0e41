"""Min-SNR weighting of the scales' losses (Hang et al., 2023, arXiv 2303.09556, section 3.4).

Diffusion that predicts the noise weights the loss at time t by min(SNR, gamma) / SNR: steps of
little noise, which are easy and many, are held down. A refiner's codes say what the state s_k
before scale k lacks of the features f, so what is lacking is the noise, and

    SNR_k = E |s_k|^2 / E |f - s_k|^2,   w_k = min(1, gamma / SNR_k).

The first scale knows nothing, so its weight is 1; fine scales weigh less, as they change little.
SNR_k is the mean over all training samples so far. It depends on the scale alone: a weight that
depended on a sample would change the distribution that is learnt.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from refine_core.config.ranges import PositiveFloat
from refine_core.embed import ContextT
from refine_core.methods.base import Method, TrainingPass, Weight, grid_tokenizer
from refine_core.methods.registry import method
from refine_core.quantizers.clustering import all_sum
from refine_core.tokenizer import DataT

if TYPE_CHECKING:
    from refine_core.refiner import Refiner


@method("min_snr")
class MinSNR(Method[DataT, Tensor, Tensor, ContextT]):
    """Weights scales by min(1, gamma / SNR).

    Args:
        gamma: Largest SNR of a scale of full weight; one that no scale reaches changes nothing.

    Attributes:
        powers: (K, 2), mean squared norm of the states before each scale, and of what they lack.
        count: Samples that these are means over.
    """

    powers: Tensor
    count: Tensor

    def __init__(self, gamma: PositiveFloat = 5.0) -> None:
        super().__init__()
        self.gamma = gamma
        self.seen: list[tuple[Tensor, Tensor]] = []

    def attach(self, refiner: "Refiner[DataT, Tensor, Tensor, ContextT]") -> None:
        """Make room for one SNR a scale."""
        scales = len(grid_tokenizer(self.name, refiner).schedule)
        self.register_buffer("powers", torch.zeros(scales, 2))
        self.register_buffer("count", torch.zeros(()))

    def weights(
        self,
        weights: list[Weight],
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
        done: TrainingPass[Tensor, Tensor, ContextT],
    ) -> list[Weight]:
        """Weights times those of the scales; in the first step all are as they were."""
        if refiner.training:
            self._measure(refiner, done)
        return [weight * own for weight, own in zip(weights, self.scale_weights(), strict=True)]

    def scale_weights(self) -> Tensor:
        """Weight (K,) of each scale; 1 for all before any sample was seen."""
        known, lacking = self.powers.unbind(1)
        return (self.gamma * lacking / known.clamp(min=1e-12)).clamp(max=1) ** (self.count > 0)

    def after_step(self) -> None:
        """Update the means with the samples of the step, those of all processes."""
        seen, self.seen = self.seen, []
        if seen:
            sums = all_sum(torch.stack([powers for powers, _ in seen]).sum(0))
            fresh = all_sum(torch.stack([count for _, count in seen]).sum())
            self.count += fresh
            self.powers += (sums - fresh * self.powers) / self.count

    @torch.no_grad()
    def _measure(
        self,
        refiner: "Refiner[DataT, Tensor, Tensor, ContextT]",
        done: TrainingPass[Tensor, Tensor, ContextT],
    ) -> None:
        tokenizer = grid_tokenizer(self.name, refiner)
        states = [tokenizer.expand(state) for state in done.trace.states[:-1]]
        pairs = [(s.square().sum(), (done.features - s).square().sum()) for s in states]
        powers = torch.stack([torch.stack(pair) for pair in pairs])
        self.seen.append((powers, powers.new_tensor(len(done.features))))
