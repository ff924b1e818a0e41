"""A tiny refiner on 5x5 grids, one for each kind of code, for the laws of the core."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from refine_core.embed import Embed
from refine_core.head import BitwiseHead, CategoricalHead
from refine_core.pyramid import area, gaussian, halvings
from refine_core.quantizers.base import Quantizer
from refine_core.quantizers.bitwise import Bitwise
from refine_core.quantizers.fsq import FSQ
from refine_core.quantizers.product import ProductQuantizer
from refine_core.quantizers.vq import VQ
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule
from refine_core.tokens import Tokens
from refine_core.transformer import Transformer

DIM = 4
QUANTIZERS: dict[str, Callable[[], Quantizer]] = {
    "vq": lambda: VQ(8, DIM),
    "fsq": lambda: FSQ((3, 4, 3, 3)),
    "bitwise": lambda: Bitwise(DIM, kind="bsq"),
    "product": lambda: ProductQuantizer(2, 5, DIM),
    "interleaved": lambda: VQ(8, DIM),
}
OPEN = [(kind, "open") for kind in QUANTIZERS if kind != "interleaved"]


class TinyEmbed(Embed):
    """Linear embedding with rotary positions, `memory` context tokens and a class vector."""

    def __init__(self, tokenizer: ResidualTokenizer, dim: int, memory: int) -> None:
        super().__init__()
        self.view, self.take = tokenizer.view, tokenizer.take
        self.enter = nn.Linear(tokenizer.dim, dim)
        self.label = nn.Embedding(4, dim)
        self.memory = nn.Embedding(4, memory * dim)

    def forward(self, state: Tensor, k: int, context: Tensor | None = None) -> Tokens:
        value = self.enter(self.take(self.view(state, k), k))
        count = value.shape[1]
        angles = torch.arange(count)[:, None] * torch.tensor([1.0, 0.3])
        return Tokens(value, torch.full((count,), k + 1), rotary=angles)

    def context(self, context: Any, count: int) -> Tokens:
        label = (
            torch.full((count,), 3) if context is None else torch.where(context < 0, 3, context)
        )
        vector = self.label(label)
        tokens = (
            self.memory(label).unflatten(1, (-1, vector.shape[1]))
            if self.memory.embedding_dim
            else None
        )
        value = vector.new_zeros(count, 0, vector.shape[1]) if tokens is None else tokens
        return Tokens(value, torch.zeros(value.shape[1], dtype=torch.int64), condition=vector)

    def drop(self, context: Any, where: Tensor) -> Any:
        return torch.where(where, -1, context)


def tokenizer(kind: str = "vq", loop: str = "closed") -> ResidualTokenizer:
    """Tokeniser with random codebooks and identity encoder."""
    sizes = [(1, 1), (2, 2), (5, 5)] if loop == "closed" else halvings((5, 5), 3)
    schedule = ScaleSchedule.of(sizes)
    if kind == "interleaved":
        schedule = ScaleSchedule.of([sizes[0], sizes[2]]).interleaved([1, 2])
        sizes = schedule.sizes
    pyramid = gaussian(sizes) if (kind, loop) in OPEN else area(sizes)
    made = ResidualTokenizer(
        schedule,
        pyramid,
        [QUANTIZERS[kind]() for _ in sizes],
        nn.Identity(),
        nn.Identity(),
        phi=[nn.Conv2d(DIM, DIM, 3, padding=1) for _ in sizes],
        loop=loop,  # type: ignore[arg-type]
    )
    made.train()
    made.trace(torch.randn(64, DIM, 5, 5))
    made.after_step()
    return made.eval()


def refiner(
    kind: str = "vq",
    history: str = "full",
    memory: int = 2,
    *,
    corruption: float = 0.0,
    dropout: float = 0.0,
) -> Refiner:
    """Refiner with random (not zero) weights everywhere, so that every path matters."""
    torch.manual_seed(0)
    tokens = tokenizer(kind)
    scales = len(tokens.schedule)
    if kind == "bitwise":
        head: Any = BitwiseHead(8, DIM, scales)
    else:
        digits = tokens.quantizers[0].digits
        head = CategoricalHead(8, digits, [tokens.digit_values(k) for k in range(scales)])  # type: ignore[arg-type]
    model = Refiner(
        tokens,
        TinyEmbed(tokens, 8, memory),
        Transformer(8, 2, 2, scales + 1, 8, history=history),  # type: ignore[arg-type]
        head,
        corruption=corruption,
        dropout=dropout,
    )
    for parameter in model.transformer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()
