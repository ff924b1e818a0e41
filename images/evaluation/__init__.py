"""Scores, reports and figures of trained models, and the choice of how they sample."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.evaluation.classifier import Evaluator as Evaluator
    from images.evaluation.classifier import load_evaluator as load_evaluator
    from images.evaluation.classifier import train_evaluator as train_evaluator
    from images.evaluation.metrics import class_accuracy as class_accuracy
    from images.evaluation.metrics import diversity as diversity
    from images.evaluation.metrics import frechet as frechet
    from images.evaluation.neighbours import memorisation as memorisation
    from images.evaluation.neighbours import neighbourhoods as neighbourhoods
    from images.evaluation.report import Report as Report
    from images.evaluation.report import evaluate as evaluate
    from images.evaluation.report import markdown as markdown
    from images.evaluation.tuning import tune as tune
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
