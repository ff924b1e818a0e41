"""Iterative refinement over scales: `p(codes | context) = prod_k p(c_k | s_<k, context)`.

What a domain needs, under one name: `import refine_core as rc`.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING

from refine_core.exports import lazy

__version__ = version("refine")

if TYPE_CHECKING:
    from refine_core.app.cli import commands as commands
    from refine_core.app.processes.ranks import trains as trains
    from refine_core.app.progress import say as say
    from refine_core.embed import Embed as Embed
    from refine_core.errors import InputError as InputError
    from refine_core.grid import GridEmbed as GridEmbed
    from refine_core.grid import build_refiner as build_refiner
    from refine_core.heads.categorical import BitwiseHead as BitwiseHead
    from refine_core.heads.categorical import CategoricalHead as CategoricalHead
    from refine_core.heads.distribution import Distribution as Distribution
    from refine_core.heads.distribution import Head as Head
    from refine_core.noise import Noise as Noise
    from refine_core.pyramid import area as area
    from refine_core.pyramid import gaussian as gaussian
    from refine_core.quantizers.bitwise import Bitwise as Bitwise
    from refine_core.quantizers.fsq import FSQ as FSQ
    from refine_core.quantizers.product import ProductQuantizer as ProductQuantizer
    from refine_core.quantizers.vq import VQ as VQ
    from refine_core.refiner import Refiner as Refiner
    from refine_core.residual import ResidualTokenizer as ResidualTokenizer
    from refine_core.sampling.intermediates import Intermediate as Intermediate
    from refine_core.sampling.intermediates import Intermediates as Intermediates
    from refine_core.sampling.settings import Sampling as Sampling
    from refine_core.schedule import Scale as Scale
    from refine_core.schedule import ScaleSchedule as ScaleSchedule
    from refine_core.storage.pretrained import Pretrained as Pretrained
    from refine_core.tokenizer import Tokenizer as Tokenizer
    from refine_core.tokens import Tokens as Tokens
    from refine_core.training.config import Optimisation as Optimisation
    from refine_core.training.data import Tensors as Tensors
    from refine_core.training.loop import fit as fit
    from refine_core.training.stages import Stages as Stages
    from refine_core.transformer import Transformer as Transformer
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
