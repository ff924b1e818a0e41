"""The results of a study as its report reads them, from the JSON of `study.json`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import cast

from images.study.config import StudyConfig
from images.study.findings.statistics import Interval, Quantity
from images.study.registry import StudyArm
from refine_core.config.schema import from_dict

Json = Mapping[str, object]
Times = Mapping[tuple[object, ...], object]
"""Milliseconds an image by arm, calls, sampler, and whether guided."""


@dataclass(frozen=True)
class Spot:
    """One setting of one arm, over seeds: a point of a frontier.

    Args:
        calls: Network calls.
        sampler: Its name; "" if the arm has one only.
        ms: Milliseconds an image on one core; None where it was not timed.
        scores: By seed, then by name.
        guidance: Its weight.
    """

    calls: int
    sampler: str
    ms: float | None
    scores: Mapping[int, Mapping[str, float]]
    guidance: float

    def of(self, quantity: Quantity) -> dict[int, float]:
        """A quantity by seed."""
        if quantity.key == "ms":
            return {} if self.ms is None else dict.fromkeys(self.scores, self.ms)
        return {s: row[quantity.key] for s, row in self.scores.items() if quantity.key in row}

    def interval(self, quantity: Quantity) -> Interval | None:
        """Its mean and interval; None if no seed has it."""
        values = list(self.of(quantity).values())
        if not values:
            return None
        found = Interval.of(values, ratio=quantity.ratio)
        if quantity.share and found.known:
            return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))
        return found

    def mean(self, quantity: Quantity) -> float:
        """Its mean."""
        found = self.interval(quantity)
        assert found is not None, quantity.key
        return found.mean

    @property
    def name(self) -> str:
        """Calls and sampler as text."""
        calls = f"{self.calls} call" + "s" * (self.calls > 1)
        return calls + (f" by {self.sampler}" if self.sampler else "")


@dataclass(frozen=True)
class ArmResults:
    """All that was measured of one arm.

    Args:
        name: See `images.study.registry.ARMS`.
        about: What it is.
        tokens: Tokens of a sample in a training step.
        parameters: Count of trained parameters.
        trials: Trials of learning rates.
        weights: Weights of guidance that were chosen, by the group of settings that share one.
        seeds: What was measured, by seed.
        guided: Settings with the guidance that was chosen.
        unguided: Settings without.
    """

    name: str
    about: StudyArm
    tokens: int
    parameters: int
    trials: Sequence[Json]
    weights: Mapping[str, float]
    seeds: Mapping[int, Json]
    guided: Sequence[Spot]
    unguided: Sequence[Spot]

    @property
    def label(self) -> str:
        """As figures and tables say."""
        return self.about.label

    @property
    def series(self) -> str:
        """What it is but for the count of scales."""
        return self.about.label.partition(",")[0]

    def within(self, calls: int, quantity: Quantity, *, guided: bool = True) -> Spot | None:
        """The setting of at most so many calls that is best on average, of those of all seeds."""
        spots = [s for s in self._spots(guided) if s.calls <= calls and s.of(quantity)]
        if not spots:
            return None
        most = max(len(spot.of(quantity)) for spot in spots)
        spots = [spot for spot in spots if len(spot.of(quantity)) == most]
        sign = 1 if quantity.lower else -1
        return min(spots, key=lambda spot: sign * spot.mean(quantity))

    def part(self, name: str) -> dict[int, Json]:
        """One of "train", "bits" and "energy", by seed, where it is there."""
        found = {seed: row.get(name) for seed, row in self.seeds.items()}
        return {seed: cast(Json, row) for seed, row in found.items() if row}

    def number(self, name: str, key: str) -> dict[int, float]:
        """A number of such a part by seed, where it is there."""
        found = {seed: row.get(key) for seed, row in self.part(name).items()}
        return {s: float(value) for s, value in found.items() if isinstance(value, int | float)}

    def floor(self) -> float | None:
        """Frechet distance of test images taken in and given back, mean over seeds.

        None where nothing is lost, as of real values of pixels, which are dequantised alone.
        """
        found = self.number("energy", "floor").values()
        exact = self.about.space == "pixels" and self.about.law != "codes"
        return None if exact or not found or min(found) < 1e-6 else fmean(found)

    def gradients(self) -> dict[int, float]:
        """Standard deviation of the gradient's norm over its mean, late in training, by seed."""
        rows = {s: cast(list[Json], part["curve"])[-1] for s, part in self.part("train").items()}
        return {
            seed: cast(float, row["grad_var"]) ** 0.5 / cast(float, row["grad_mean"])
            for seed, row in rows.items()
        }

    def curve(self) -> dict[int, dict[int, float]]:
        """Frechet distances of the learning curve, by step and seed."""
        found: dict[int, dict[int, float]] = {}
        for seed, part in self.part("train").items():
            for row in cast(list[Json], part["curve"]):
                if row["frechet"] is not None:
                    by_seed = found.setdefault(cast(int, row["step"]), {})
                    by_seed[seed] = cast(float, row["frechet"])
        return dict(sorted(found.items()))

    def _spots(self, guided: bool) -> Sequence[Spot]:
        return self.guided if guided else self.unguided


@dataclass(frozen=True)
class Findings:
    """A study's results.

    Args:
        config: What was run.
        training_images: How many arms were trained on.
        arms: In the order of the config.
        real: Scores of training images against test images; None where they are missing.
        tokenizers: Scores of reconstructions by key.
        missing: Names of what is not there.
    """

    config: StudyConfig
    training_images: int
    arms: Mapping[str, ArmResults]
    real: Json | None
    tokenizers: Mapping[str, Json]
    missing: Sequence[str]

    def __iter__(self) -> Iterator[ArmResults]:
        return iter(self.arms.values())

    @classmethod
    def of(cls, plain: Json) -> "Findings":
        """Read the content of `study.json`."""
        config = from_dict(StudyConfig, cast(Json, plain["config"]), "study.json")
        timing = cast(Json, plain["timing"] or {"rows": []})
        times: Times = {
            (row["arm"], row["calls"], row["sampler"], row["guided"]): row["ms"]
            for row in cast(list[dict[str, object]], timing["rows"])
        }
        arms = cast(Mapping[str, Json], plain["arms"])
        return cls(
            config,
            cast(int, plain["training_images"]),
            {name: _arm(name, arm, times) for name, arm in arms.items()},
            cast(Json | None, plain["real"]),
            {str(row["key"]): row for row in cast(list[Json], plain["tokenizers"])},
            cast(list[str], plain["missing"]),
        )

    def floor(self) -> float | None:
        """Frechet distance of training from test images."""
        return None if self.real is None else cast(float, self.real["frechet"])


def _arm(name: str, plain: Json, times: Times) -> ArmResults:
    chosen = cast(dict[str, dict[str, Json]], plain["guidance"] or {"groups": {}})["groups"]
    by_seed = {int(s): row for s, row in cast(Mapping[str, Json], plain["seeds"]).items()}
    return ArmResults(
        name=name,
        about=from_dict(StudyArm, cast(Json, plain["about"]), "study.json"),
        tokens=cast(int, plain["tokens"]),
        parameters=cast(int, plain["parameters"]),
        trials=cast(list[Json], plain["trials"]),
        weights={group: cast(float, row["guidance"]) for group, row in chosen.items()},
        seeds=by_seed,
        guided=_spots(name, by_seed, times, True),
        unguided=_spots(name, by_seed, times, False),
    )


def _spots(
    name: str,
    by_seed: Mapping[int, Json],
    times: Times,
    guided: bool,
) -> list[Spot]:
    """Settings in the order of their calls, each over the seeds that have it."""
    found: dict[tuple[int, str], dict[int, Json]] = {}
    for seed, row in by_seed.items():
        for point in cast(list[Json], row["points"]):
            if point["guided"] == guided and point["frechet"] is not None:
                place = (cast(int, point["calls"]), str(point["sampler"]))
                found.setdefault(place, {})[seed] = point
    spots = []
    for (calls, sampler), rows in sorted(found.items()):
        # Where a weight of zero was chosen, a guided call costs no more.
        weight = cast(float, next(iter(rows.values()))["guidance"])
        ms = cast(float | None, times.get((name, calls, sampler, weight != 0), None))
        scores = {
            seed: {k: float(v) for k, v in row.items() if isinstance(v, float | int)}
            for seed, row in rows.items()
        }
        spots.append(Spot(calls, sampler, ms, scores, weight))
    return spots
