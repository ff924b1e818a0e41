"""The report says what the results say, whatever is there of them."""

from pathlib import Path
from typing import Any, cast

from images.study.findings.claims import judge_claims
from images.study.findings.report import PICTURES, report, study_page, write_findings
from images.study.findings.results import Findings
from tests.images.study.findings.synthetic import plain
from tests.images.study.findings.test_claims import GOOD


def arms(results: dict[str, object]) -> dict[str, Any]:
    return cast(dict[str, Any], results["arms"])


def text(results: dict[str, object]) -> str:
    return "\n\n".join(report(Findings.of(results), list(PICTURES)))


def test_numbers_of_the_report_are_those_of_the_results() -> None:
    said = text(plain(GOOD, bits={"latent-codes": 1.1}))
    assert "| latent codes, S = 4 | 4 calls | 0.5 | 1.60 | 0.300 [0.285, 0.315] | 2.31 |" in said
    assert "1.100 [1.045, 1.155] exact" in said
    assert "| latent codes, S = 4 | 1.100 [1.045, 1.155] | exact |" in said and "FFJORD" in said
    overtaken = "latent diffusion overtakes latent codes, S = 4 (4 calls, 1.6 ms) from 100 calls"
    assert overtaken in said
    assert "Not complete" not in said
    # A curve of 400, 200 and 100 hundredths of the last distance, at steps 100, 200 and 400.
    assert "| latent codes, S = 4 | 1.2 | 0.6 | 0.3 | 0.50 |" in said


def test_nothing_overtakes() -> None:
    said = text(plain({**GOOD, "latent-diffusion": {4: 0.8, 100: 0.4}}))
    assert "No diffusion arm overtakes latent codes, S = 4 up to 100 calls." in said
    assert "| latent diffusion | 100 calls, 40.0 ms | 0.75x [0.75, 0.75] | never | never |" in said


def test_a_best_rate_that_is_outermost_is_named() -> None:
    results = plain(GOOD)
    trials = {arm: of["trials"] for arm, of in arms(results).items()}
    for own in trials.values():
        own.insert(0, {"learning_rate": 5e-4, "held_loss": 9.0})
    assert "may lie beyond" not in text(results)
    trials["latent-diffusion"][-1]["held_loss"] = 0.1
    assert "may lie beyond those tried for latent diffusion." in text(results)
    trials["latent-diffusion"].append({"learning_rate": 4e-3, "held_loss": None})
    said = text(results)
    assert "may lie beyond" not in said and "| 0.0005 | 0.001 | 0.002 | 0.004 |" in said


def test_a_report_of_nothing(tmp_path: Path) -> None:
    results = plain(GOOD)
    for arm in arms(results).values():
        arm |= {"trials": [], "guidance": None}
        for row in arm["seeds"].values():
            row |= {"train": None, "points": [], "bits": None, "energy": None}
    results |= {
        "real": None,
        "tokenizers": [],
        "timing": None,
        "missing": ["train of x", "timing"],
    }
    write_findings(results, tmp_path)
    said = (tmp_path / "REPORT.md").read_text()
    assert "Not complete: 2 results are missing (train of x, timing)" in said
    assert said.count("No verdict, for results are missing") == 8
    assert not list(tmp_path.glob("*.png")) and "![" not in said
    assert "results are missing" in (tmp_path / "report.html").read_text()


def test_the_page_begins_with_the_claim_of_dominance(tmp_path: Path) -> None:
    findings = Findings.of(plain(GOOD))
    page = study_page(findings, report(findings, []), tmp_path)
    dominance = judge_claims(findings)[-1]
    assert page.verdict.startswith(dominance.sentence())
    assert page.figures[-1].value == dominance.status and len(page.figures) == 4
    assert dominance.main is not None and dominance.main.effect.text() in page.figures[-1].interval
    assert [each.title for each in page.sections][:2] == ["What was run", "In short"]


def test_every_arm_is_drawn(tmp_path: Path) -> None:
    write_findings(plain(GOOD), tmp_path)
    assert {path.name for path in tmp_path.glob("*.png")} == set(PICTURES)
