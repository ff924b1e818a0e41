"""Tokeniser and generator of images, assembled from their configs."""

from collections.abc import Sequence

from torch import Tensor

from images.config import GeneratorConfig, ImagesConfig, SamplingConfig, TokenizerConfig
from images.networks import Decoder, Encoder, Phi
from refine_core.errors import InputError
from refine_core.grid import GridEmbed, build_refiner
from refine_core.methods.registry import build_methods
from refine_core.methods.students.merging import MergedTokenizer
from refine_core.pyramid import Size, area, gaussian
from refine_core.quantizers.base import Quantizer
from refine_core.quantizers.bitwise import Bitwise
from refine_core.quantizers.channels import ChannelGroup
from refine_core.quantizers.fsq import FSQ
from refine_core.quantizers.product import ProductQuantizer
from refine_core.quantizers.residual_vq import ResidualVQ
from refine_core.quantizers.vq import VQ
from refine_core.refiner import Refiner
from refine_core.residual import ResidualTokenizer
from refine_core.sampling.settings import Sampling
from refine_core.schedule import Scale, ScaleSchedule, per_scale

ImageRefiner = Refiner[Tensor, Tensor, Tensor, Tensor]
"""Images, features and states are (b, c, h, w); the context is a class (b,)."""


def build_tokenizer(
    config: TokenizerConfig, channels: int, size: tuple[int, int]
) -> ResidualTokenizer:
    """Tokeniser for images of `channels` x `size`.

    Raises:
        InputError: The finest size does not fit the image, or a list has not one entry per size.
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
    parts = per_scale("`tokenizer.parts`", config.parts, len(sizes))
    codes, dim = [each.size for each in own], own[0].dim
    if config.order == "groups":
        schedule = _repeated(sizes, codes, parts)
        pairs = zip(codes, parts, strict=True)
        quantizers = [part for pair in pairs for part in _groups(*pair, config.dim)]
    else:
        schedule = ScaleSchedule.of(sizes, codes=codes, parts=parts, order=config.order)
        quantizers = [each for each, count in zip(own, parts, strict=True) for _ in range(count)]
    whole = ResidualTokenizer(
        schedule,
        area(schedule.sizes) if config.loop == "closed" else gaussian(schedule.sizes),
        quantizers,
        Encoder(channels, dim, config.width, config.blocks, config.patch),
        Decoder(channels, size, dim, config.width, config.blocks, config.patch),
        phi=[Phi(dim) for _ in schedule] if config.phi else None,
        loop=config.loop,
        truncation=config.truncation,
        centring=config.centring,
    )
    return whole if config.calls is None else MergedTokenizer(whole, config.calls)


def build(config: GeneratorConfig, tokenizer: ResidualTokenizer, classes: int) -> ImageRefiner:
    """Generator over a tokeniser's codes, of `classes` classes.

    Raises:
        InputError: The loss weights are neither one nor one per scale.
    """
    return build_refiner(
        tokenizer,
        GridEmbed(tokenizer, config.dim, classes, kinds=2 if config.augmentation.share else 1),
        dim=config.dim,
        depth=config.depth,
        heads=config.heads,
        history=config.history,
        head=config.head,
        dropout=config.dropout,
        weights=config.weights,
        corruption=config.corruption,
        context_dropout=config.class_dropout,
        methods=build_methods(config.methods),
    )


def build_network(config: ImagesConfig, shape: tuple[int, int, int], classes: int) -> ImageRefiner:
    """The untrained network of a model of images (channels, height, width), for evaluation.

    Raises:
        InputError: A section of the config does not fit the images or another section.
    """
    tokens = build_tokenizer(config.tokenizer, shape[0], shape[1:])
    return build(config.generator, tokens, classes).eval()


def sampling(config: SamplingConfig, scales: int) -> tuple[Sampling, ...]:
    """How each of `scales` scales is sampled."""
    return Sampling.per_scale(
        scales,
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        guidance=config.guidance,
    )


def _quantizers(config: TokenizerConfig, scales: int) -> list[Quantizer]:
    """One quantiser per scale; shared codebooks are one object."""
    codes = per_scale("`tokenizer.codes`", config.codes, scales)

    def make(k: int) -> Quantizer:
        if config.quantizer == "vq":
            return VQ(codes[k], config.dim, decay=0.97)
        if config.quantizer == "product":
            return ProductQuantizer(config.groups, codes[k], config.dim)
        if config.quantizer == "residual":
            return ResidualVQ(config.groups, codes[k], config.dim, decay=0.97)
        return FSQ(config.levels) if config.quantizer == "fsq" else Bitwise(config.dim, kind="bsq")

    if config.codebooks == "per_scale":
        return [make(k) for k in range(scales)]
    shared = make(scales - 1)
    return [shared if config.codebooks == "shared" else make(0), *[shared] * (scales - 1)]


def _repeated(sizes: Sequence[Size], codes: Sequence[int], parts: Sequence[int]) -> ScaleSchedule:
    """Schedule in which a size is a scale as often as it has parts, with all its cells."""
    scales = zip(sizes, codes, parts, strict=True)
    return ScaleSchedule(tuple(Scale(s, v) for s, v, count in scales for _ in range(count)))


def _groups(codes: int, count: int, dim: int) -> list[Quantizer]:
    """Quantisers of `count` groups of channels.

    Raises:
        InputError: Groups do not divide the channels.
    """
    if dim % count:
        raise InputError(
            f"`tokenizer.parts` has {count} groups for `tokenizer.dim` {dim}: choose a divisor."
        )
    width = dim // count
    return [ChannelGroup(VQ(codes, width, decay=0.97), k * width, dim) for k in range(count)]
