"""Frontiers of quality and cost, and where they cross.

An arm's frontier at a cost is the best quality, on average over seeds, of its settings that cost
no more. Arms that differ in their count of scales only make one series: its settings are theirs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from images.study.findings.results import ArmResults, Findings, Spot
from images.study.findings.statistics import FRECHET, Effect, Quantity


@dataclass(frozen=True)
class Series:
    """Arms that differ in their count of scales only.

    Args:
        label: As figures say.
        arms: One or more.
    """

    label: str
    arms: tuple[ArmResults, ...]

    @property
    def spots(self) -> list[Spot]:
        """Settings of all arms with their guidance, by calls."""
        every = (spot for arm in self.arms for spot in arm.guided)
        return sorted(every, key=lambda spot: spot.calls)

    @property
    def example(self) -> ArmResults:
        """An arm, for what all have in common."""
        return self.arms[0]

    def whole(self) -> "Series":
        """Without arms that draw a scale in parts, so that calls are scales."""
        return Series(self.label, tuple(a for a in self.arms if a.about.parts == (1,)))

    def by_best_sampler(self) -> "Series":
        """Each arm's settings of that sampler alone which reaches its smallest distance."""
        return Series(self.label, tuple(map(_by_best_sampler, self.arms)))


def _by_best_sampler(arm: ArmResults) -> ArmResults:
    known = [spot for spot in arm.guided if spot.of(FRECHET)]
    if not known:
        return arm
    best = min(known, key=lambda spot: spot.mean(FRECHET)).sampler
    return replace(arm, guided=[spot for spot in known if spot.sampler == best])


def all_series(findings: Findings) -> list[Series]:
    """Every series, in the order of the config."""
    found: dict[str, list[ArmResults]] = {}
    for arm in findings:
        found.setdefault(arm.series, []).append(arm)
    return [Series(label, tuple(arms)) for label, arms in found.items()]


def frontier(
    spots: Iterable[Spot], quantity: Quantity, cost: Quantity | None = None
) -> list[tuple[float, Spot]]:
    """Costs at which a quantity gets better, and the settings that reach it.

    Args:
        spots: Settings.
        quantity: What is to be good.
        cost: Time, or None for network calls.
    """
    priced = []
    for spot in spots:
        price = spot.calls if cost is None else spot.ms
        if price is not None and spot.of(quantity):
            priced.append((float(price), spot))
    best, found = None, []
    for price, spot in sorted(priced, key=lambda pair: (pair[0], _badness(pair[1], quantity))):
        if best is None or _badness(spot, quantity) < best:
            best = _badness(spot, quantity)
            found.append((price, spot))
    return found


def _badness(spot: Spot, quantity: Quantity) -> float:
    return spot.mean(quantity) * (1 if quantity.lower else -1)


@dataclass(frozen=True)
class Crossing:
    """Where a rival's frontier of distance passes below that of a refiner at its best.

    Args:
        rival: Label of the rival.
        refiner: The refiner's best setting.
        best: The rival's best setting of all.
        effect: The refiner's distance there to the rival's.
        first: The rival's cheapest setting of smaller mean distance; None if there is none.
        certain: Its cheapest setting whose distance is smaller beyond doubt, by an interval that
            is corrected for the number of its settings.
    """

    rival: str
    refiner: Spot
    best: Spot
    effect: Effect
    first: Spot | None
    certain: Spot | None


def crossing(refiner: Sequence[Spot], rival: Sequence[Spot], label: str) -> Crossing | None:
    """Compare all settings of a rival with the best of a refiner; None without results."""
    own = [spot for spot in refiner if spot.of(FRECHET)]
    others = sorted((s for s in rival if s.of(FRECHET)), key=lambda spot: spot.calls)
    if not own or not others:
        return None
    best = min(own, key=lambda spot: spot.mean(FRECHET))
    effects = [(s, Effect.of(FRECHET, best.of(FRECHET), s.of(FRECHET))) for s in others]
    known = [(spot, effect) for spot, effect in effects if effect is not None]
    if not known:
        return None
    lower = [spot for spot, effect in known if effect.interval.mean > 1]
    certain = [s for s, e in known if e.better < 0 and e.decides_among(len(known))]
    top, effect = min(known, key=lambda pair: pair[0].mean(FRECHET))
    return Crossing(label, best, top, effect, next(iter(lower), None), next(iter(certain), None))


def costs(spot: Spot) -> str:
    """Calls and time of a setting as text."""
    return spot.name + ("" if spot.ms is None else f", {spot.ms:.1f} ms")
