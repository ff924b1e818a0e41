"""Quantisers: vectors to discrete codes and back."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.quantizers.base import Quantized as Quantized
    from refine_core.quantizers.base import Quantizer as Quantizer
    from refine_core.quantizers.bitwise import Bitwise as Bitwise
    from refine_core.quantizers.channels import ChannelGroup as ChannelGroup
    from refine_core.quantizers.exact import Exact as Exact
    from refine_core.quantizers.fsq import FSQ as FSQ
    from refine_core.quantizers.product import ProductQuantizer as ProductQuantizer
    from refine_core.quantizers.residual_vq import ResidualVQ as ResidualVQ
    from refine_core.quantizers.usage import Usage as Usage
    from refine_core.quantizers.vq import VQ as VQ
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
