"""Calibration of each scale's temperature and top-k on data that the model was not trained on.

- Temperature scaling (Guo et al., 2017, arXiv 1706.04599, section 4.2): T_k = argmax_T of the
  held-out log-likelihood sum_i log p_k(c_i | T). For independent digits it is concave in 1 / T.
- Entropy matching (Braverman et al., 2020, arXiv 1906.05664): a model that is right about its own
  samples has, along them, an entropy that equals its negative log-likelihood of data. T_k is such
  that the mean entropy of p_k(. | T_k), at states sampled with T_0 ... T_{k-1}, equals the
  held-out negative log-likelihood of the scale at its own best temperature.
- Top-k of coverage q: the least k such that a share q of held-out digits is among the k likeliest.

The results are settings of `refine_core.sampling.Sampling`; weights and likelihoods stay.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from scipy.optimize import brentq, minimize_scalar
from torch import Tensor

from refine_core.embed import ContextT, StateT
from refine_core.errors import InputError
from refine_core.heads.categorical import CodeDistribution
from refine_core.heads.distribution import Distribution
from refine_core.noise import Noise, double
from refine_core.tokenizer import DataT, FeaturesT

if TYPE_CHECKING:
    from refine_core.refiner import Refiner

RANGE = (0.25, 4.0)
"""Least and largest temperature."""


@dataclass(frozen=True)
class HeldOut:
    """Distributions of the codes of data, and the codes; for each scale a list of batches.

    Args:
        distributions: Of each scale, of each batch.
        codes: The codes (b, n, g), likewise.
        samples: Count of samples.
    """

    distributions: Sequence[Sequence[Distribution]]
    codes: Sequence[Sequence[Tensor]]
    samples: int

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
        batches: Iterable[tuple[DataT, ContextT | None]],
    ) -> "HeldOut":
        """What a refiner predicts for batches of data with their contexts.

        Raises:
            InputError: There is none.
        """
        pairs, samples = [], 0
        for x, context in batches:
            trace = refiner.tokenizer.trace(refiner.tokenizer.features(x))
            pairs.append((refiner.distributions(trace.states[:-1], context), trace.codes))
            samples += len(trace.codes[0])
        if not pairs:
            raise InputError("Found no data to calibrate on, expected one batch or more.")
        dists, codes = zip(*pairs, strict=True)
        return cls(list(zip(*dists, strict=True)), list(zip(*codes, strict=True)), samples)

    @torch.no_grad()
    def nats(self, k: int, temperature: float = 1.0) -> float:
        """Negative log-likelihood of the codes of scale k, the mean of a sample's."""
        pairs = zip(self.distributions[k], self.codes[k], strict=True)
        total = sum(float(double(d.sharpened(temperature).log_prob(c)).sum()) for d, c in pairs)
        return -total / self.samples

    def temperatures(self) -> list[float]:
        """The most likely temperature of each scale."""

        def best(k: int) -> float:
            found = minimize_scalar(
                lambda log: self.nats(k, math.exp(log)),
                bounds=(math.log(RANGE[0]), math.log(RANGE[1])),
                method="bounded",
                options={"xatol": 1e-3},
            )
            return math.exp(float(found.x))

        return [best(k) for k in range(len(self.codes))]

    def top_k(self, coverage: float) -> list[int]:
        """The least k of each scale such that this share of digits is among the k likeliest.

        Raises:
            InputError: The share is not above 0 and up to 1, or digits depend on each other.
        """
        if not 0 < coverage <= 1:
            raise InputError(f"coverage is {coverage}, expected a share above 0, up to 1.")

        def least(k: int) -> int:
            pairs = zip(self.distributions[k], self.codes[k], strict=True)
            ranks = torch.cat([_ranks(_independent(d), c) for d, c in pairs]).sort().values
            return int(ranks[math.ceil(coverage * len(ranks)) - 1])

        return [least(k) for k in range(len(self.codes))]


@torch.no_grad()
def entropy_matched(
    refiner: "Refiner[DataT, FeaturesT, StateT, ContextT]",
    held_out: HeldOut,
    noise: Noise,
    context: ContextT | None = None,
) -> list[float]:
    """Temperatures at which samples are as uncertain as data are surprising.

    Args:
        refiner: What samples.
        held_out: What it predicts for data.
        noise: Names the samples.
        context: Of the samples.

    Raises:
        InputError: Digits depend on each other, so that there is no entropy in closed form.
    """
    call = refiner.caller(context, len(noise))
    found: list[float] = []

    def choose(state: StateT, k: int) -> object:
        dist = _independent(call(state, k))
        exact = replace(dist, logits=double(dist.logits))
        goal = held_out.nats(k, best[k])
        found.append(_crossing(lambda t: float(exact.sharpened(t).entropy().sum(1).mean()), goal))
        return refiner.tokenizer.lookup(dist.sharpened(found[-1]).sample(noise.fork(k)), k)

    best = held_out.temperatures()
    refiner.tokenizer.unroll(refiner.tokenizer.start(len(noise), noise), choose)  # type: ignore[arg-type]
    return found


def _crossing(rising: Callable[[float], float], goal: float) -> float:
    """Where a rising function of the temperature reaches a goal, or the end nearest to it."""
    low, high = RANGE
    if rising(low) >= goal:
        return low
    if rising(high) <= goal:
        return high
    return float(brentq(lambda t: rising(t) - goal, low, high, xtol=1e-3))


def _ranks(dist: CodeDistribution, code: Tensor) -> Tensor:
    """Rank of each real digit, 1 for the likeliest."""
    own = dist.logits.gather(-1, code[..., None])
    rank = (dist.logits > own).sum(-1) + 1
    return (rank if dist.valid is None else rank[dist.valid]).flatten()


def _independent(dist: Distribution) -> CodeDistribution:
    if not isinstance(dist, CodeDistribution):
        raise InputError(
            f"Found a {type(dist).__name__}, expected independent digits, whose entropy and ranks "
            "are known: fit temperatures by likelihood."
        )
    return dist
