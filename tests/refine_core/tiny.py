"""A tiny refiner on 5x5 grids, one for each kind of code, for the laws of the core."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from refine_core.embed import Embed
from refine_core.heads.categorical import BitwiseHead, CategoricalHead
from refine_core.heads.config import HeadConfig, build_head
from refine_core.heads.depth import Across
from refine_core.heads.gaussian import GaussianMixtureHead
from refine_core.methods.base import Method
from refine_core.pyramid import area, gaussian, halvings
from refine_core.quantizers.base import Quantizer
from refine_core.quantizers.bitwise import Bitwise
from refine_core.quantizers.channels import ChannelGroup
from refine_core.quantizers.exact import Exact
from refine_core.quantizers.fsq import FSQ
from refine_core.quantizers.product import ProductQuantizer
from refine_core.quantizers.residual_vq import ResidualVQ
from refine_core.quantizers.vq import VQ
from refine_core.refiner import Refiner
from refine_core.residual import Loop, ResidualTokenizer
from refine_core.schedule import ScaleSchedule
from refine_core.tokens import History, Tokens
from refine_core.transformer import Transformer

DIM = 4
QUANTIZERS: dict[str, Callable[[], Quantizer]] = {
    "vq": lambda: VQ(8, DIM),
    "fsq": lambda: FSQ((3, 4, 3, 3)),
    "bitwise": lambda: Bitwise(DIM, kind="bsq"),
    "product": lambda: ProductQuantizer(2, 5, DIM),
    "residual": lambda: ResidualVQ(2, 5, DIM),
    "groups": lambda: ChannelGroup(VQ(5, 2), 2, DIM),
    "interleaved": lambda: VQ(8, DIM),
}
OPEN: list[tuple[str, Loop]] = [(kind, "open") for kind in QUANTIZERS if kind != "interleaved"]


class TinyEmbed(Embed[Tensor, Tensor]):
    """Linear embedding with sines as positions, `memory` context tokens and a class vector."""

    def __init__(self, tokenizer: ResidualTokenizer, dim: int, memory: int) -> None:
        super().__init__()
        self.view, self.take = tokenizer.view, tokenizer.take
        self.enter = nn.Linear(tokenizer.dim, dim)
        self.label = nn.Embedding(4, dim)
        self.remembered = nn.Embedding(4, memory * dim)

    def forward(self, state: Tensor, k: int, context: Tensor | None = None) -> Tokens:
        value = self.enter(self.take(self.view(state, k), k))
        places = torch.arange(value.shape[1])[:, None] * torch.linspace(1, 0.3, value.shape[2])
        return Tokens(value + places.sin())

    def condition(self, context: Tensor | None, count: int) -> Tensor:
        vector: Tensor = self.label(self.known(context, count))
        return vector

    def memory(self, context: Tensor | None, count: int) -> Tokens | None:
        if not self.remembered.embedding_dim:
            return None
        tokens = self.remembered(self.known(context, count))
        return Tokens(tokens.unflatten(1, (-1, self.label.embedding_dim)))

    def drop(self, context: Tensor, where: Tensor) -> Tensor:
        return torch.where(where, -1, context)

    def known(self, context: Tensor | None, count: int) -> Tensor:
        return torch.full((count,), 3) if context is None else torch.where(context < 0, 3, context)


def tokenizer(kind: str = "vq", loop: Loop = "closed") -> ResidualTokenizer:
    """Tokeniser with random codebooks and identity encoder."""
    sizes = [(1, 1), (2, 2), (5, 5)] if loop == "closed" else halvings((5, 5), 3)
    schedule = ScaleSchedule.of(sizes)
    if kind == "interleaved":
        schedule = ScaleSchedule.of([sizes[0], sizes[2]], parts=[1, 2])
        sizes = schedule.sizes
    pyramid = gaussian(sizes) if (kind, loop) in OPEN else area(sizes)
    made = ResidualTokenizer(
        schedule,
        pyramid,
        [QUANTIZERS[kind]() for _ in sizes],
        nn.Identity(),
        nn.Identity(),
        phi=[nn.Conv2d(DIM, DIM, 3, padding=1) for _ in sizes],
        loop=loop,
    )
    made.train()
    made.trace(torch.randn(64, DIM, 5, 5))
    made.after_step()
    return made.eval()


def real_tokenizer(loop: Loop = "closed") -> ResidualTokenizer:
    """Tokeniser whose codes are real numbers, and lose nothing."""
    schedule = ScaleSchedule.of(halvings((5, 5), 3))
    pyramid = gaussian(schedule.sizes) if loop == "open" else area(schedule.sizes)
    parts = [Exact(DIM)] * 3, nn.Identity(), nn.Identity()
    return ResidualTokenizer(schedule, pyramid, *parts, loop=loop)


def refiner(
    kind: str = "vq",
    history: History = "full",
    memory: int = 2,
    *,
    corruption: float = 0.0,
    dropout: float = 0.0,
) -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    """Refiner with random (not zero) weights everywhere, so that every path matters."""
    torch.manual_seed(0)
    tokens = tokenizer(kind)
    scales = len(tokens.schedule)
    head: BitwiseHead | CategoricalHead
    if kind == "bitwise":
        head = BitwiseHead(8, DIM, scales)
    else:
        sizes = [tokens.digit_values(k) for k in range(scales)]
        head = CategoricalHead(8, tokens.digits(0), sizes)
    model = Refiner(
        tokens,
        TinyEmbed(tokens, 8, memory),
        Transformer(8, 2, 2, scales + 1, 8, history=history),
        head,
        corruption=corruption,
        dropout=dropout,
    )
    for parameter in model.transformer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()


def joint_refiner(
    kind: Literal["depth", "mixture"], across: Across
) -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    """The same with a head whose digits know each other, over codes of two digits."""
    plain = refiner("product")
    sizes = [plain.tokenizer.digit_values(k) for k in range(len(plain.tokenizer.schedule))]
    config = HeadConfig(kind=kind, across=across, width=8, depth=1, heads=2, components=3, rank=4)
    head = build_head(config, 8, plain.tokenizer.digits(0), sizes)
    for parameter in head.parameters():
        nn.init.normal_(parameter, std=0.5)
    return Refiner(plain.tokenizer, plain.embed, plain.transformer, head).eval()


def with_methods(
    model: Refiner[Tensor, Tensor, Tensor, Tensor],
    *methods: Method[Tensor, Tensor, Tensor, Tensor],
) -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    """The same parts with methods."""
    parts = model.tokenizer, model.embed, model.transformer, model.head
    made = Refiner(*parts, corruption=model.corruption, dropout=model.dropout, methods=methods)
    return made.train(model.training)


def real_refiner(
    components: int = 3, history: History = "full", memory: int = 2
) -> Refiner[Tensor, Tensor, Tensor, Tensor]:
    """The same over real-valued codes, by mixtures of Gaussians."""
    torch.manual_seed(0)
    tokens = real_tokenizer()
    model = Refiner(
        tokens,
        TinyEmbed(tokens, 8, memory),
        Transformer(8, 2, 2, len(tokens.schedule) + 1, 8, history=history),
        GaussianMixtureHead(8, DIM, len(tokens.schedule), components),
    )
    for parameter in model.transformer.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.eval()
