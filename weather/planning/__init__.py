"""What the stages of a model will need, from data to verification, computed before they run."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.planning.stages import ResourcePlan as ResourcePlan
    from weather.planning.stages import Stage as Stage
    from weather.planning.stages import plan as plan
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
