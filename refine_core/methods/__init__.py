"""Published methods of training and sampling, one a module, each switched on by one field."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.methods.base import Method as Method
    from refine_core.methods.base import SamplingRun as SamplingRun
    from refine_core.methods.base import TrainingPass as TrainingPass
    from refine_core.methods.registry import Methods as Methods
    from refine_core.methods.registry import SamplingMethods as SamplingMethods
    from refine_core.methods.registry import build_methods as build_methods
    from refine_core.methods.registry import known_methods as known_methods
    from refine_core.methods.registry import method as method
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
