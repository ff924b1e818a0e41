"""Published methods of training and sampling, one a module, each switched on by one field."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.methods.adapter import adapt as adapt
    from refine_core.methods.adapter import merge as merge
    from refine_core.methods.base import Method as Method
    from refine_core.methods.base import SamplingRun as SamplingRun
    from refine_core.methods.base import TrainingPass as TrainingPass
    from refine_core.methods.coupling import NoiseEmbed as NoiseEmbed
    from refine_core.methods.distillation import Distillation as Distillation
    from refine_core.methods.distillation import start_from_teacher as start_from_teacher
    from refine_core.methods.merging import MergedTokenizer as MergedTokenizer
    from refine_core.methods.registry import Methods as Methods
    from refine_core.methods.registry import SamplingMethods as SamplingMethods
    from refine_core.methods.registry import build_methods as build_methods
    from refine_core.methods.registry import known_methods as known_methods
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
