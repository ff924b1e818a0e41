"""Verdicts follow from the results: both directions, undecided and missing, and their words."""

import re

import pytest

from images.study.findings.claims import Verdict, judge_claims
from images.study.findings.results import Findings
from tests.images.study.findings.synthetic import Distances, plain

GOOD: Distances = {
    "latent-codes": {4: 0.3},
    "pixel-codes": {4: 0.6},
    "latent-gaussian": {4: 0.5},
    "latent-mixture": {4: 0.4},
    "latent-codes-1": {1: 3.0},
    "absorbing": {1: 4.0, 4: 0.9, 16: 0.45, 100: 0.35},
    "latent-diffusion": {1: 5.0, 4: 0.8, 16: 0.5, 100: 0.2},
}
LATENT, DISCRETE, SCALES, DOMINANCE = range(4)


def verdicts(distances: Distances = GOOD, **options: object) -> list[Verdict]:
    return judge_claims(Findings.of(plain(distances, **options)))  # type: ignore[arg-type]


def test_every_claim_holds_where_the_refiner_is_best() -> None:
    found = verdicts()
    assert [each.status for each in found] == ["holds"] * 4
    latent, discrete, scales, dominance = (each.main for each in found)
    assert latent and discrete and scales and dominance
    assert latent.effect.interval.mean == pytest.approx(0.5)
    assert discrete.base == "latent mixture, S = 4"  # the better of the two rivals decides
    assert scales.base == "absorbing diffusion" and scales.settings == ("4 calls", "16 calls")
    assert dominance.base == "absorbing diffusion" and dominance.condition == "within 16 calls"
    # Two rivals, at 4 and at 16 calls: with 1 call the refiner has no sample.
    assert found[DOMINANCE].deciding == 4


@pytest.mark.parametrize(
    ("claim", "arm", "better"),
    [
        (LATENT, "pixel-codes", {4: 0.2}),
        (DISCRETE, "latent-gaussian", {4: 0.2}),
        (SCALES, "latent-codes-1", {1: 0.2}),
        (DOMINANCE, "latent-diffusion", {1: 5.0, 4: 0.8, 16: 0.2}),
    ],
)
def test_a_better_rival_reverses_its_claim_alone(
    claim: int, arm: str, better: dict[int, float]
) -> None:
    found = verdicts({**GOOD, arm: better})
    expected = ["holds"] * 4
    expected[claim] = "reversed"
    assert [each.status for each in found] == expected
    said = found[claim].sentence()
    assert "Does not hold" in said and "1.50x [1.50, 1.50]" in said


@pytest.mark.parametrize(
    ("claims", "arm", "similar"),
    [
        ((LATENT,), "pixel-codes", {4: 0.301}),
        ((DISCRETE,), "latent-gaussian", {4: 0.301}),
        ((SCALES,), "latent-codes-1", {1: 0.301}),
        ((SCALES, DOMINANCE), "absorbing", {4: 0.9, 16: 0.301}),
    ],
)
def test_what_seeds_cannot_tell_is_undecided(
    claims: tuple[int, ...], arm: str, similar: dict[int, float]
) -> None:
    results = plain({**GOOD, arm: similar})
    shuffle(results, arm)
    found = judge_claims(Findings.of(results))
    open_ = [number for number, each in enumerate(found) if each.status == "undecided"]
    assert tuple(open_) == claims
    assert {each.status for each in found} == {"holds", "undecided"}
    assert all("Undecided" in found[claim].sentence() for claim in claims)


@pytest.mark.parametrize(("distance", "status"), [(0.27, "undecided"), (0.15, "reversed")])
def test_one_of_many_comparisons_needs_to_be_sure(distance: float, status: str) -> None:
    results = plain({**GOOD, "latent-diffusion": {4: 0.8, 16: distance}})
    shuffle(results, "latent-diffusion")
    found = judge_claims(Findings.of(results))[DOMINANCE]
    assert found.main is not None and found.main.effect.better == -1  # by itself it decides
    assert found.status == status and found.deciding == 4
    assert ("Alone it would decide" in found.sentence()) == (status == "undecided")


def test_a_verdict_says_what_spaces_lose() -> None:
    found = verdicts()
    lost = "Of test images themselves the spaces make: "
    assert f"{lost}latent codes, S = 4 0.13, pixel codes, S = 4 0.13." in found[LATENT].sentence()
    assert lost not in found[DOMINANCE].sentence()


def shuffle(results: dict[str, object], arm: str) -> None:
    """Let the seeds of an arm differ otherwise than those of the others."""
    seeds = results["arms"][arm]["seeds"]  # type: ignore[index]
    points = {seed: row["points"] for seed, row in seeds.items()}
    for seed, other in zip(seeds, (*list(seeds)[1:], list(seeds)[0]), strict=True):
        seeds[seed]["points"] = points[other]


def test_one_seed_decides_nothing() -> None:
    found = verdicts(seeds=(0,))
    assert [each.status for each in found] == ["undecided"] * 4
    assert all("One seed gives no interval" in each.sentence() for each in found)


def test_missing_results_are_no_verdict() -> None:
    for arm, claim in (("pixel-codes", LATENT), ("absorbing", DOMINANCE)):
        found = verdicts({name: calls for name, calls in GOOD.items() if name != arm})
        assert (found[claim].status == "missing") == (claim == LATENT)
    none = verdicts({"latent-codes": {4: 0.3}})
    assert [each.status for each in none] == ["missing"] * 4
    assert "results are missing" in none[0].sentence()
    results = plain(GOOD)
    for row in results["arms"]["latent-diffusion"]["seeds"].values():  # type: ignore[index]
        row["points"] = []
    assert judge_claims(Findings.of(results))[DOMINANCE].status == "missing"


def test_a_claim_says_where_it_turns() -> None:
    found = verdicts()[DOMINANCE]
    assert found.status == "holds"
    # Beyond 16 calls latent diffusion is better, and the text says so.
    turned = [each for each in found.of(-1) if each.effect.quantity.key == "frechet"]
    assert {(each.base, each.condition) for each in turned} == {
        ("latent diffusion", "at any cost"),
        ("latent diffusion", "early in training, unguided"),
    }
    said = found.conditions()
    pair = "latent codes, S = 4 against latent diffusion"
    assert said.endswith(f"It turns for {pair} (any cost, early).")
    numbers = re.match(r"Of (\d+) comparisons, (\d+) decide for it, (\d+) against it, (\d+)", said)
    assert numbers and int(numbers[1]) == sum(int(numbers[n]) for n in (2, 3, 4))


def test_bits_are_a_condition_where_a_bound_can_decide() -> None:
    def bits(**kinds: str) -> int:
        results = plain(GOOD, bits={"latent-codes": 1.0, "latent-gaussian": 0.8})
        for name, kind in kinds.items():
            for row in results["arms"][name.replace("_", "-")]["seeds"].values():  # type: ignore[index]
                row["bits"]["kind"] = kind
        found = judge_claims(Findings.of(results))[DISCRETE].comparisons
        (one,) = (each for each in found if each.effect.quantity.key == "bits")
        assert one.base == "latent Gaussian, S = 4" and one.effect.interval.mean > 0
        return one.effect.better

    # The rival is better by its exact bits or by a bound, if ours are exact; else who knows.
    assert bits() == bits(latent_gaussian="bound") == -1
    assert bits(latent_codes="bound") == bits(latent_codes="bound", latent_gaussian="bound") == 0


def test_equal_time_is_a_condition() -> None:
    timed = [each for each in verdicts()[SCALES].comparisons if each.column == "equal time"]
    # In the 1.6 ms of four calls, absorbing diffusion makes four calls, too.
    settings = {each.base: each.settings for each in timed}
    assert settings["absorbing diffusion"] == ("4 calls", "4 calls")
