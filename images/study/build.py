"""Arms by name, assembled from a study's config."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from images.config import TokenizerConfig
from images.study.absorbing_diffusion import AbsorbingDiffusion
from images.study.backbone import TransformerShape
from images.study.config import StudyConfig
from images.study.flow_matching import FlowMatching
from images.study.forward_noise import Forward
from images.study.gaussian_diffusion import GaussianDiffusion
from images.study.model import StudyModel
from images.study.pixel_pyramid import PixelTokenizer, fit_codebooks, latent_tokenizer
from images.study.refinement import Refinement
from images.study.registry import ARMS, SIZES, StudyArm
from images.study.spaces import CodeSpace, LatentSpace, PixelSpace, Space
from refine_core.pyramid import area
from refine_core.quantizers.exact import Exact
from refine_core.quantizers.vq import VQ
from refine_core.residual import ResidualTokenizer
from refine_core.schedule import ScaleSchedule, per_scale

AUTOENCODER = SIZES[4]
"""Sizes of the tokeniser whose autoencoder gives real-valued latents."""
MEASURED = 5000
"""Images on which units of real values are measured, at most."""


def arm_tokenizer(name: str, config: StudyConfig) -> TokenizerConfig | None:
    """Config of the tokeniser that an arm stands on; None where it has none.

    Arms of real-valued latents have the autoencoder of the tokeniser of four scales in common.
    """
    arm = ARMS[name]
    if arm.space == "pixels":
        return None
    if arm.law != "codes":
        return replace(config.tokenizer, sizes=AUTOENCODER, parts=(1,))
    parts = arm.parts if arm.method == "scales" else (1,)
    return replace(config.tokenizer, sizes=arm.sizes, parts=parts)


def build_arm(
    name: str,
    config: StudyConfig,
    tokenizer: ResidualTokenizer | None,
    images: Tensor,
    classes: int,
) -> StudyModel:
    """An untrained arm.

    Args:
        name: See `images.study.registry.ARMS`.
        config: The study.
        tokenizer: Trained on `arm_tokenizer(name, config)`, where that is not None.
        images: Training images, of which some arms take means, deviations or codebooks.
        classes: Count of classes.

    Raises:
        InputError: The images do not fit the sizes, or the parameters cannot be matched.
    """
    arm, backbone = ARMS[name], config.backbone
    shape = TransformerShape(backbone.dim, backbone.depth, backbone.heads)
    dropout, size = config.budget.class_dropout, backbone.parameters
    if arm.method == "absorbing":
        assert tokenizer is not None
        space = CodeSpace(tokenizer)
        return AbsorbingDiffusion.build(space, shape, classes, size, dropout=dropout)
    if arm.law == "free":
        kind = FlowMatching if arm.method == "flow" else GaussianDiffusion
        return kind.build(_space(tokenizer, images, config), shape, classes, size, dropout=dropout)
    return Refinement.build(
        _tokens(arm, config, tokenizer, images),
        shape,
        classes,
        size,
        law=arm.law,
        draws=arm.draws,
        images=images[:MEASURED],
        forward=_forward(arm, config),
        dropout=dropout,
    )


def _space(tokenizer: ResidualTokenizer | None, images: Tensor, config: StudyConfig) -> Space:
    """Where diffusion and flows live: latents if there is a tokeniser, else pixels."""
    if tokenizer is not None:
        return LatentSpace(tokenizer, images)
    channels, height, width = images.shape[1:]
    return PixelSpace((channels, height, width), config.tokenizer.patch)


def in_parts(tokenizer: ResidualTokenizer, parts: int) -> ResidualTokenizer:
    """A trained tokeniser of one scale, whose codes are predicted in several calls.

    The codes are the same: phi, which lets a cell's value reach its neighbours, is applied to
    all of them, as part of the decoder.
    """
    quantizer, phi = tokenizer.quantizer(0), tokenizer.phi[0]
    schedule = ScaleSchedule.of([tokenizer.schedule[0].size], parts=(parts,))
    decoder = nn.Sequential(phi, tokenizer.decoder)
    quantizers = [quantizer] * len(schedule)
    return ResidualTokenizer(
        schedule, area(schedule.sizes), quantizers, tokenizer.encoder, decoder
    ).eval()


def _tokens(
    arm: StudyArm, config: StudyConfig, tokenizer: ResidualTokenizer | None, images: Tensor
) -> ResidualTokenizer:
    """What a refiner refines: trained codes as they are, real values, or codes of pixels.

    Codebooks of pixels start from images in an order of torch's global generator, as weights do.
    """
    if tokenizer is not None and arm.law == "codes":
        return in_parts(tokenizer, *arm.parts) if arm.method == "parts" else tokenizer
    sizes = [(side, side) for side in arm.sizes]
    schedule, patch = ScaleSchedule.of(sizes, parts=arm.parts), config.tokenizer.patch
    if tokenizer is not None:
        exact = [Exact(tokenizer.dim)] * len(schedule)
        return latent_tokenizer(LatentSpace(tokenizer, images), schedule, exact)
    dim = images.shape[1] * patch**2
    if arm.law != "codes":
        exact = [Exact(dim)] * len(schedule)
        return PixelTokenizer(schedule, exact, patch, dequantise=True)
    codes = per_scale("`tokenizer.codes`", config.tokenizer.codes, len(sizes))
    found = PixelTokenizer(schedule, [VQ(count, dim, decay=0.97) for count in codes], patch)
    fit_codebooks(found, images[torch.randperm(len(images))])
    return found


def _forward(arm: StudyArm, config: StudyConfig) -> Forward:
    """Noise of the forward process of real values; one scale has no coarser ones."""
    noise = config.forward
    finest = noise.pixels if arm.space == "pixels" else noise.latents
    return Forward(0.0 if arm.scales == 1 else noise.coarse, finest)
