"""The images model: what the domain plugs into the core."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from images.config import GeneratorConfig, SamplingConfig, TokenizerConfig
from images.networks import Decoder, Encoder, Phi
from refine_core.embed import Embed, Head
from refine_core.errors import InputError
from refine_core.head import BitwiseHead, CategoricalHead
from refine_core.pyramid import area, gaussian
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

T = TypeVar("T")


class ImageEmbed(Embed):
    """A convolution of the state at the scale's own size, plus learned positions.

    The class is the condition.

    Args:
        tokenizer: Gives the view of a state.
        dim: Width of the tokens.
        classes: Count of classes; one more stands for "any".
    """

    def __init__(self, tokenizer: ResidualTokenizer, dim: int, classes: int) -> None:
        super().__init__()
        self.view, self.take = tokenizer.view, tokenizer.take
        self.classes = classes
        self.enter = nn.Conv2d(tokenizer.dim, dim, 3, padding=1)
        self.position = nn.ParameterList(
            nn.Parameter(0.02 * torch.randn(scale.tokens, dim)) for scale in tokenizer.schedule
        )
        self.label = nn.Embedding(classes + 1, dim)

    def forward(self, state: Tensor, k: int, context: Tensor | None = None) -> Tokens:
        """Tokens (b, n_k, dim) of scale k."""
        view = self.view(state, k)
        # The convolution at the scale's own cells: its size may be that of other parts, too.
        patches = self.take(F.unfold(view, 3, padding=1).unflatten(2, view.shape[2:]), k)
        value = F.linear(patches, self.enter.weight.flatten(1), self.enter.bias) + self.position[k]
        return Tokens(value, torch.full((value.shape[1],), k + 1, device=value.device))

    def context(self, context: Tensor | None, count: int) -> Tokens:
        """No tokens; the class vector (b, dim) as condition, of labels (b,) int64; -1 is any."""
        weight = self.label.weight
        if context is None:
            context = torch.full((count,), -1, device=weight.device)
        vector = self.label(torch.where(context < 0, self.classes, context))
        nothing = vector.new_zeros(count, 0, weight.shape[1])
        return Tokens(
            nothing, torch.zeros(0, dtype=torch.int64, device=weight.device), condition=vector
        )

    def drop(self, context: Tensor, where: Tensor) -> Tensor:
        """Labels with -1 in place of the dropped."""
        return torch.where(where, -1, context)


def build_tokenizer(
    config: TokenizerConfig, channels: int, size: tuple[int, int]
) -> ResidualTokenizer:
    """Tokeniser for images of `channels` x `size`.

    Raises:
        InputError: If the finest scale does not fit the image, or the sizes do not fit the loop.
    """
    grid = (-(-size[0] // config.patch), -(-size[1] // config.patch))
    finest = config.sizes[-1]
    if max(grid) != finest:
        raise InputError(
            f"Images of {size[0]}x{size[1]} in patches of {config.patch} make a grid of "
            f"{grid[0]}x{grid[1]}: "
            f"`tokenizer.sizes` must end with {max(grid)}, found {finest}."
        )
    sizes = [tuple(max(1, round(side * n / finest)) for n in grid) for side in config.sizes]
    own = _quantizers(config, len(sizes))
    parts = per_scale(config.parts, len(sizes))
    schedule = ScaleSchedule.of(sizes).with_(codes=[quantizer.size for quantizer in own])
    schedule = schedule.interleaved(parts)
    quantizers = [each for each, count in zip(own, parts, strict=True) for _ in range(count)]
    dim = own[0].dim
    return ResidualTokenizer(
        schedule,
        area(schedule.sizes) if config.loop == "closed" else gaussian(schedule.sizes),
        quantizers,
        Encoder(channels, dim, config.width, config.blocks, config.patch),
        Decoder(channels, size, dim, config.width, config.blocks, config.patch),
        phi=[Phi(dim) for _ in schedule] if config.phi else None,
        loop=config.loop,
        truncation=config.truncation,
    )


def build(config: GeneratorConfig, tokenizer: ResidualTokenizer, classes: int) -> Refiner:
    """Refiner over a tokeniser's codes."""
    plan = replace(tokenizer.schedule, history=config.history)
    schedule = plan.with_(weight=per_scale(config.weights, len(plan)))
    head: Head
    if isinstance(tokenizer.quantizers[0], Bitwise):
        head = BitwiseHead(config.dim, tokenizer.digits(0), len(schedule))
    else:
        sizes = [tokenizer.digit_values(k) for k in range(len(schedule))]
        head = CategoricalHead(config.dim, tokenizer.digits(0), sizes)
    return Refiner(
        tokenizer,
        ImageEmbed(tokenizer, config.dim, classes),
        Transformer(
            config.dim,
            config.depth,
            config.heads,
            levels=len(schedule) + 1,
            condition=config.dim,
            history=schedule.history,
            dropout=config.dropout,
        ),
        head,
        schedule=schedule,
        corruption=config.corruption,
        dropout=config.class_dropout,
    )


def sampling_schedule(config: SamplingConfig, schedule: ScaleSchedule) -> ScaleSchedule:
    """The model's schedule with how to sample it."""
    count = len(schedule)
    return schedule.with_(
        temperature=per_scale(config.temperature, count),
        top_k=config.top_k,
        top_p=per_scale(config.top_p, count),
        guidance=per_scale(config.guidance, count),
    )


def per_scale(values: Sequence[T], count: int) -> list[T]:
    """One value for all scales, or one per scale, as one per scale."""
    return list(values) * (count if len(values) == 1 else 1)


def _quantizers(config: TokenizerConfig, scales: int) -> list[Quantizer]:
    """One quantiser per scale; shared codebooks are one object."""
    codes = per_scale(config.codes, scales)
    if len(codes) != scales:
        raise InputError(
            f"`tokenizer.codes` has {len(codes)} counts for {scales} scales: "
            "give one, or one per scale."
        )

    def make(k: int) -> Quantizer:
        if config.quantizer == "vq":
            return VQ(codes[k], config.dim, decay=0.97)
        if config.quantizer == "product":
            return ProductQuantizer(config.groups, codes[k], config.dim)
        return FSQ(config.levels) if config.quantizer == "fsq" else Bitwise(config.dim, kind="bsq")

    if config.codebooks == "per_scale":
        return [make(k) for k in range(scales)]
    shared = make(scales - 1)
    return [shared if config.codebooks == "shared" else make(0), *[shared] * (scales - 1)]
