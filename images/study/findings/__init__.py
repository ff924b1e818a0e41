"""What the results of a study say: intervals, frontiers, verdicts, the report and its pictures."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from images.study.findings.claims import Verdict as Verdict
    from images.study.findings.claims import judge_claims as judge_claims
    from images.study.findings.results import Findings as Findings
    from images.study.findings.statistics import Interval as Interval
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
