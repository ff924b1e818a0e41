"""The page on checks says what passed, and all of what did not."""

from graphs.evaluation.equivariance import invariance_page
from graphs.invariance.comparison import Error
from graphs.invariance.exchangeability import Exchangeability
from graphs.invariance.report import Check, Finding, Report
from refine_core.app.html import Text


def check(part: str, error: float, failure: str = "") -> Check:
    report = Report("equivariance", (Finding("relabelling", Error(0, error)),), 8, "float64")
    return Check(part, report, failure, "FAIL" if failure else "pass")


def test_the_verdict_counts_what_did_not_pass() -> None:
    sampler = Check("sampler", Exchangeability(0.25, {}, 0.9, 0.05, 0.01, 100, 90))
    page = invariance_page("Model", [check("encoder", 2e-7), check("head", 3e-9), sampler])
    assert page.verdict.startswith("**All 3 checks passed**")
    assert [figure.value for figure in page.figures] == ["3 of 3", "2.0e-07", "0.250"]
    assert [section.title for section in page.sections] == ["Checks", "How to read it"]
    page = invariance_page("Model", [check("encoder", 2e-7), check("head", 1.0, "head: <b>wrong")])
    assert page.verdict == "**1 of 2 checks did not pass**: head (FAIL)."
    assert page.sections[1].title == "What did not pass"
    assert page.sections[1].blocks == [Text("### head\n\n```\nhead: <b>wrong\n```")]
