"""Verification of ensemble forecasts against the truth; knows no model."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from weather.verification.report import Comparison as Comparison
    from weather.verification.report import CurveTable as CurveTable
    from weather.verification.report import Estimate as Estimate
    from weather.verification.report import ReliabilityTable as ReliabilityTable
    from weather.verification.report import ScoreTable as ScoreTable
    from weather.verification.report import VerificationReport as VerificationReport
    from weather.verification.report_writer import markdown as markdown
    from weather.verification.report_writer import score_table as score_table
    from weather.verification.report_writer import write_files as write_files
    from weather.verification.run import verify as verify
    from weather.verification.score_plots import plot_scores as plot_scores
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
