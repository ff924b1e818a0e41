"""Refinement and diffusion on equal terms: one backbone, one budget, every space and sampler."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.study.absorbing_diffusion import AbsorbingDiffusion as AbsorbingDiffusion
    from images.study.backbone import TransformerShape as TransformerShape
    from images.study.flow_matching import FlowMatching as FlowMatching
    from images.study.forward_noise import Forward as Forward
    from images.study.gaussian_diffusion import GaussianDiffusion as GaussianDiffusion
    from images.study.likelihood import DecoderLikelihood as DecoderLikelihood
    from images.study.model import Bits as Bits
    from images.study.model import Setting as Setting
    from images.study.model import StudyModel as StudyModel
    from images.study.pixel_pyramid import PixelTokenizer as PixelTokenizer
    from images.study.pixel_pyramid import latent_tokenizer as latent_tokenizer
    from images.study.protocol.energy import Descent as Descent
    from images.study.protocol.energy import descent as descent
    from images.study.refinement import Refinement as Refinement
    from images.study.spaces import CodeSpace as CodeSpace
    from images.study.spaces import LatentSpace as LatentSpace
    from images.study.spaces import PixelSpace as PixelSpace
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
