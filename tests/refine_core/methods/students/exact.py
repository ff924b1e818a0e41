"""A refiner whose law can be written down: three tokens of three values, one call each."""

import itertools

import torch
from torch import Tensor, nn

from refine_core.grid import GridEmbed, build_refiner
from refine_core.heads.config import HeadConfig
from refine_core.methods.students.merging import MergedTokenizer
from refine_core.noise import Noise
from refine_core.pyramid import area
from refine_core.quantizers.vq import VQ
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule

VALUES, TOKENS = 3, 3
CODES = torch.tensor(list(itertools.product(range(VALUES), repeat=TOKENS)))
"""All 27 codes of a sample."""
TinyRefiner = Refiner[Tensor, Tensor, Tensor, Tensor]


def tokenizer() -> ResidualTokenizer:
    """Three cells on a line, each a part, with one codebook."""
    torch.manual_seed(0)
    schedule = ScaleSchedule.of([(TOKENS,)], parts=[TOKENS])
    parts = (area(schedule.sizes), [VQ(VALUES, 2)] * TOKENS, nn.Identity(), nn.Identity())
    made = ResidualTokenizer(schedule, *parts)
    made.train()
    made.trace(torch.randn(64, 2, TOKENS))
    made.after_step()
    return made.eval()


def refiner(tokens: ResidualTokenizer, head: HeadConfig | None = None) -> TinyRefiner:
    torch.manual_seed(1)
    return build_refiner(tokens, GridEmbed(tokens, 16, 2), dim=16, depth=2, heads=2, head=head)


def teacher() -> TinyRefiner:
    """Random weights, large enough that tokens depend on each other and on the class."""
    made = refiner(tokenizer())
    for parameter in made.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.4)
    return made.eval()


def student(of: TinyRefiner, calls: int = 1, head: HeadConfig | None = None) -> TinyRefiner:
    """An untrained refiner of fewer calls over the same codes."""
    assert isinstance(of.tokenizer, ResidualTokenizer)
    return refiner(MergedTokenizer(of.tokenizer, [calls]), head).eval()


@torch.no_grad()
def law(model: TinyRefiner, context: Tensor | None = None) -> Tensor:
    """Probabilities (27,) of all codes, by brute force."""
    tokens = model.tokenizer
    parts = CODES[..., None].split([scale.tokens for scale in tokens.schedule], 1)
    start = tokens.start(len(CODES))
    trace = tokens.unroll(start, lambda _, k: tokens.lookup(parts[k], k))
    dists = model.distributions(trace.states[:-1], context)
    each = [dist.log_prob(part) for dist, part in zip(dists, parts, strict=True)]
    return torch.stack(each).sum(0).exp()


def product(probabilities: Tensor) -> Tensor:
    """The product (27,) of a law's marginals: the best that independent draws can do."""
    found = torch.ones(len(CODES))
    for place in range(TOKENS):
        marginal = torch.zeros(VALUES).index_add(0, CODES[:, place], probabilities)
        found = found * marginal[CODES[:, place]]
    return found


def frequencies(codes: list[Tensor]) -> Tensor:
    """Shares (27,) of each code among samples."""
    digits = torch.cat(codes, 1)[..., 0] * VALUES ** torch.arange(TOKENS - 1, -1, -1)
    return torch.bincount(digits.sum(1), minlength=len(CODES)) / len(digits)


def distance(a: Tensor, b: Tensor) -> float:
    """Total variation of two laws."""
    return float((a - b).abs().sum() / 2)


def data(count: int) -> Tensor:
    """Features (count, 2, 3)."""
    return Noise.range(3, count).normal(0, 2, TOKENS)
