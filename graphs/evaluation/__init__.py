"""Reports on a trained model: quality and cost of its samples, and equivariance of its parts."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from graphs.evaluation.call_curve import compare_models as compare_models
    from graphs.evaluation.equivariance import check_equivariance as check_equivariance
    from graphs.evaluation.properties import measure_properties as measure_properties
    from graphs.evaluation.report import evaluate as evaluate
    from graphs.evaluation.report import markdown as markdown
    from graphs.evaluation.scaffolds import measure_scaffolds as measure_scaffolds
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
