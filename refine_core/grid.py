"""Generators over regular grids: cells and their neighbours as tokens, a class as the condition.

A domain on a line, a plane or in space brings a `ResidualTokenizer` with an encoder and a decoder
of its own; the rest is here.
"""

import itertools
import math
from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from refine_core.embed import Embed, convolution
from refine_core.heads.config import HeadConfig, build_head
from refine_core.heads.distribution import Head
from refine_core.methods.base import Method
from refine_core.quantizers.bitwise import Bitwise
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import Scale
from refine_core.tokens import History, Tokens
from refine_core.transformer import Transformer

C = TypeVar("C")
ANY_CLASS = -1
"""The label of a sample of which the class is not known."""


class GridEmbed(Embed[Tensor, Tensor]):
    """A convolution of the state at the scale's own size, plus learned positions.

    The context is a class (b,) int64 for each sample, and becomes the condition of the adaptive
    norms; `ANY_CLASS`, or no context, stands for any class.

    Args:
        tokenizer: Gives the view of a state, on a grid of one to three axes.
        dim: Width d of the tokens.
        classes: Count of classes.
        kinds: Kinds of data that have conditions of their own. A class c of kind j is the context
            c + j (classes + 1), any class of it `classes` + j (classes + 1).

    Raises:
        InputError: The grid has more than three axes.

    >>> import torch
    >>> import refine_core as rc
    >>> scales, same = rc.ScaleSchedule.geometric((1,), (4,), 3), torch.nn.Identity()
    >>> parts = scales, rc.area(scales.sizes), [rc.VQ(16, 8)] * 3, same, same
    >>> tokenizer = rc.ResidualTokenizer(*parts)  # of data (b, 8, 4)
    >>> embed = rc.GridEmbed(tokenizer, dim=32, classes=10)
    >>> embed(tokenizer.start(5), k=2).value.shape, embed.condition(torch.tensor([3]), 1).shape
    (torch.Size([5, 4, 32]), torch.Size([1, 32]))
    """

    def __init__(
        self, tokenizer: ResidualTokenizer, dim: int, classes: int = 0, *, kinds: int = 1
    ) -> None:
        super().__init__()
        self.view = tokenizer.view
        self.classes = classes
        self.enter = convolution(len(tokenizer.schedule[0].size), tokenizer.dim, dim)
        self.position = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(scale.tokens, dim)) for scale in tokenizer.schedule
        )
        self.label = nn.Embedding(kinds * (classes + 1), dim)
        for k, scale in enumerate(tokenizer.schedule):
            self.register_buffer(f"near_{k}", neighbours(scale), persistent=False)

    def forward(self, state: Tensor, k: int, context: Tensor | None = None) -> Tokens:
        """Tokens (b, n_k, d) of scale k."""
        view = self.view(state, k)
        padded = F.pad(view, (1, 1) * (view.ndim - 2))
        around = gather(padded, self.get_buffer(f"near_{k}")).flatten(2)
        weight = self.enter.weight.flatten(1)
        return Tokens(F.linear(around, weight, self.enter.bias) + self.position[k])

    def condition(self, context: Tensor | None, count: int) -> Tensor:
        """Class vectors (count, d)."""
        if context is None:
            context = torch.full((count,), ANY_CLASS, device=self.label.weight.device)
        vector: Tensor = self.label(torch.where(context < 0, self.classes, context))
        return vector

    def drop(self, context: Tensor, where: Tensor) -> Tensor:
        """Labels with any class of their kind in place of the dropped."""
        kind = context.clamp(min=0) // (self.classes + 1)
        return torch.where(where, kind * (self.classes + 1) + self.classes, context)

    def other_kind(self, context: Tensor, kind: int = 1) -> Tensor:
        """Contexts of the same classes (b,) for data of another kind."""
        return torch.where(context < 0, self.classes, context) + kind * (self.classes + 1)


def neighbours(scale: Scale) -> Tensor:
    """Places of 3 x ... x 3 cells around each of a scale's tokens, (n_k, 3 ** axes) int64.

    They count the cells of the scale's grid padded by one at both ends of each axis, row by row.

    >>> neighbours(Scale((2,))).tolist()
    [[0, 1, 2], [1, 2, 3]]
    """
    padded = [length + 2 for length in scale.size]
    strides = [math.prod(padded[axis + 1 :]) for axis in range(len(padded))]
    offsets = [
        sum(step * stride for step, stride in zip(steps, strides, strict=True))
        for steps in itertools.product(range(3), repeat=len(padded))
    ]
    cells = list(itertools.product(*map(range, scale.size)))
    corners = [
        sum(place * stride for place, stride in zip(cells[number], strides, strict=True))
        for number in scale.cells
    ]
    return torch.tensor(corners)[:, None] + torch.tensor(offsets)


def gather(padded: Tensor, near: Tensor) -> Tensor:
    """Cells at `near` (n_k, w) of a padded grid (b, c, *size + 2), as (b, n_k, c, w)."""
    cells = padded.flatten(2).transpose(1, 2).contiguous()
    found: Tensor = cells.index_select(1, near.flatten()).unflatten(1, near.shape)
    return found.transpose(2, 3)


def build_refiner(
    tokenizer: ResidualTokenizer,
    embed: Embed[Tensor, C],
    *,
    dim: int,
    depth: int,
    heads: int,
    history: History = "full",
    dropout: float = 0.0,
    head: HeadConfig | Head[Tensor] | None = None,
    mlp: float = 4.0,
    maps: Sequence[int] | None = None,
    weights: Sequence[float] = (1.0,),
    corruption: float = 0.0,
    context_dropout: float = 0.0,
    methods: Sequence[Method[Tensor, Tensor, Tensor, C]] = (),
) -> Refiner[Tensor, Tensor, Tensor, C]:
    """Refiner over a grid tokeniser's codes.

    Args:
        tokenizer: Frozen in the refiner.
        embed: Its tokens and its condition have width `dim`.
        dim: Width of the transformer.
        depth: Blocks.
        heads: Attention heads.
        history: See `refine_core.tokens.History`.
        dropout: Inside the blocks.
        head: How codes of a scale depend on each other, by default not at all; or a head itself,
            as of real-valued codes.
        mlp: See `Transformer`.
        maps: See `CategoricalHead`.
        weights: See `Refiner`.
        corruption: See `Refiner`.
        context_dropout: See `Refiner`, there `dropout`.
        methods: See `Refiner`.

    Raises:
        InputError: Numbers are out of range or do not fit together.

    >>> import torch
    >>> import refine_core as rc
    >>> scales, same = rc.ScaleSchedule.geometric((1,), (4,), 3), torch.nn.Identity()
    >>> parts = scales, rc.area(scales.sizes), [rc.VQ(16, 8)] * 3, same, same
    >>> tokenizer = rc.ResidualTokenizer(*parts)  # of data (b, 8, 4)
    >>> embed = rc.GridEmbed(tokenizer, dim=32, classes=10)
    >>> refiner = rc.build_refiner(tokenizer, embed, dim=32, depth=1, heads=2)
    >>> refiner.sample(rc.Noise.range(0, 2), torch.tensor([3, 7])).shape
    torch.Size([2, 8, 4])
    """
    scales = range(len(tokenizer.schedule))
    digits, sizes = tokenizer.digits(0), [tokenizer.digit_values(k) for k in scales]
    bitwise = isinstance(tokenizer.quantizer(0), Bitwise)
    transformer = Transformer(
        dim, depth, heads, len(sizes) + 1, dim, mlp=mlp, history=history, dropout=dropout
    )
    if head is None or isinstance(head, HeadConfig):
        head = build_head(head or HeadConfig(), dim, digits, sizes, bitwise=bitwise, maps=maps)
    return Refiner(
        tokenizer,
        embed,
        transformer,
        head,
        weights=weights,
        corruption=corruption,
        dropout=context_dropout,
        methods=methods,
    )
