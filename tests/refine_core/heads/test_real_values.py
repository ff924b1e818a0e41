"""Codes need not be integers: a head of Gaussians on the same pyramid, refiner and sampler."""

import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from refine_core.noise import Noise
from refine_core.refiner import Refiner
from refine_core.sampling import Sampling
from refine_core.transformer import Transformer
from tests.refine_core.tiny import DIM, TinyEmbed, real_tokenizer

X = torch.randn(6, DIM, 5, 5, generator=torch.Generator().manual_seed(1))


@dataclass(frozen=True)
class Normal:
    mean: Tensor
    valid: Tensor | None = None
    spread: float = 1.0

    def token_log_prob(self, code: Tensor) -> Tensor:
        each = ((code - self.mean) / self.spread).square() + math.log(2 * math.pi * self.spread**2)
        return -each.sum(2) / 2

    def log_prob(self, code: Tensor) -> Tensor:
        return self.token_log_prob(code).sum(1)

    def sample(self, noise: Noise) -> Tensor:
        return self.mean + self.spread * noise.normal(0, *self.mean.shape[1:])

    def guided(self, unconditional: Self, weight: float) -> Self:
        return replace(self, mean=(1 + weight) * self.mean - weight * unconditional.mean)

    def sharpened(
        self, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0
    ) -> Self:
        return replace(self, spread=self.spread * temperature**0.5)


class NormalHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(8, DIM)

    def forward(
        self, hidden: Tensor, state: Tensor, k: int, valid: Tensor | None = None
    ) -> Normal:
        return Normal(self.out(hidden), valid)


def test_real_codes_are_sampled_scored_and_learnt() -> None:
    torch.manual_seed(0)
    tokens = real_tokenizer()
    transformer, head = Transformer(8, 1, 2, 4, 8), NormalHead()
    model = Refiner(tokens, TinyEmbed(tokens, 8, 0), transformer, head)
    labels, noise = torch.arange(6) % 3, Noise.range(0, 6)
    trace = model.sample_trace(noise, labels, sampling=[Sampling(guidance=0.5)])
    pairs = zip(
        model.distributions(trace.states[:-1], labels),
        model.distributions(trace.states[:-1]),
        strict=True,
    )
    for k, (given, free) in enumerate(pairs):
        redrawn = given.guided(free, 0.5).sample(noise.fork(k))
        assert torch.allclose(redrawn, trace.codes[k], atol=1e-5)
    assert torch.allclose(tokens.decode(tokens.encode(X)), X, atol=1e-5)
    before = -model.code_log_prob(X, labels).sum(1).mean()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 1e-2)
    for _ in range(30):
        optimizer.zero_grad()
        model((X, labels), noise)["loss"].backward()
        optimizer.step()
    assert -model.code_log_prob(X, labels).sum(1).mean() < before - 1
