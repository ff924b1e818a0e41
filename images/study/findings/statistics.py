"""Intervals over seeds, and whether two arms can be told apart.

A seed is one replicate of everything: tokeniser, weights, order, noise, tuning of guidance,
samples. Intervals of 95 % are Student's, over seeds; those of distances are taken of logarithms,
for a distance has a ratio to another and not below zero. Arms are compared seed by seed: the
interval is that of the ratio, or the difference, of the two arms of a seed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtr, stdtrit

LEVEL = 0.95
BySeed = Mapping[int, float]
"""A value for each seed."""


@dataclass(frozen=True)
class Quantity:
    """What is compared.

    Args:
        key: Its name in the results.
        label: Its name in reports.
        lower: Whether less is better.
        ratio: Whether two values are compared by their ratio, or by their difference.
        form: How a value is written.
        share: Whether values lie between 0 and 1.
    """

    key: str
    label: str
    lower: bool
    ratio: bool
    form: str
    share: bool = False


FRECHET = Quantity("frechet", "Frechet distance", True, True, ".3f")
ACCURACY = Quantity("accuracy", "class accuracy", False, False, ".1%", share=True)
PRECISION = Quantity("precision", "precision", False, False, ".3f", share=True)
RECALL = Quantity("recall", "recall", False, False, ".3f", share=True)
BITS = Quantity("bits", "bits/dim", True, False, ".3f")
GRADIENT = Quantity("gradient", "variation of the gradient's norm", True, True, ".3f")
TIME = Quantity("ms", "ms an image", True, True, ".2f")
SCORED = (FRECHET, PRECISION, RECALL, ACCURACY)


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its interval, which is infinite for a single seed.

    Args:
        mean: The mean; of a ratio, the geometric one.
        low: Lower end.
        high: Upper end.
        seeds: Count of seeds.
    """

    mean: float
    low: float
    high: float
    seeds: int

    @property
    def ends(self) -> tuple[float, float]:
        """Lower and upper end."""
        return self.low, self.high

    @property
    def known(self) -> bool:
        """Whether there are ends."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @classmethod
    def of(cls, values: Sequence[float], *, ratio: bool = False) -> "Interval":
        """Student's interval of one value a seed; with `ratio`, of their logarithms.

        >>> found = Interval.of([1.0, 2.0, 3.0])
        >>> found.mean, round(found.low, 2), round(found.high, 2)
        (2.0, -0.48, 4.48)
        >>> Interval.of([1.0, 4.0], ratio=True).mean
        2.0
        """
        if ratio:
            plain = cls.of([math.log(max(value, 1e-12)) for value in values])
            low, high = (math.exp(end) if end < 700 else math.inf for end in plain.ends)
            return cls(math.exp(plain.mean), low, high, plain.seeds)
        mean, count = fmean(values), len(values)
        if count < 2:
            return cls(mean, -math.inf, math.inf, count)
        half = float(stdtrit(count - 1, (1 + LEVEL) / 2)) * stdev(values) / math.sqrt(count)
        return cls(mean, mean - half, mean + half, count)

    def text(self, form: str) -> str:
        """Mean and interval as text.

        >>> Interval(0.5, 0.25, 0.75, 3).text(".2f"), Interval.of([0.5]).text(".1f")
        ('0.50 [0.25, 0.75]', '0.5')
        """
        ends = f" [{self.low:{form}}, {self.high:{form}}]" if self.known else ""
        return f"{self.mean:{form}}{ends}"


@dataclass(frozen=True)
class Effect:
    """How one arm differs from another in one quantity.

    Args:
        quantity: In what.
        interval: Of the ratio of the first to the second, or of the difference.
        better: 1 if the first is better, -1 if worse, 0 if the interval does not tell.
    """

    quantity: Quantity
    interval: Interval
    better: int

    @classmethod
    def of(cls, quantity: Quantity, ours: BySeed, base: BySeed) -> "Effect | None":
        """Compare the seeds that both have; None if they have none in common."""
        seeds = [seed for seed in ours if seed in base]
        if not seeds:
            return None
        if quantity.ratio:
            ratios = [max(ours[s], 1e-12) / max(base[s], 1e-12) for s in seeds]
            interval, nothing = Interval.of(ratios, ratio=True), 1.0
        else:
            interval, nothing = Interval.of([ours[s] - base[s] for s in seeds]), 0.0
        sign = (interval.low > nothing) - (interval.high < nothing)
        return cls(quantity, interval, -sign if quantity.lower else sign)

    def decides_among(self, count: int) -> bool:
        """Whether it is one of `count` that any of which may tell, by Bonferroni's correction.

        >>> near = Effect.of(FRECHET, {0: 1.0, 1: 1.1, 2: 1.0}, {0: 1.3, 1: 1.3, 2: 1.3})
        >>> near.better, near.decides_among(1), near.decides_among(10)
        (1, True, False)
        """
        return self.better != 0 and self._p_value * count <= 1 - LEVEL

    @property
    def _p_value(self) -> float:
        """Of Student's two-sided test that there is no effect."""
        found = self.interval
        centre, end = found.mean, found.high
        if self.quantity.ratio:
            centre, end = math.log(centre), math.log(end)
        if end == centre:
            return 0.0
        freedom = found.seeds - 1
        t = abs(centre) / (end - centre) * float(stdtrit(freedom, (1 + LEVEL) / 2))
        return 2 * float(stdtr(freedom, -t))

    def text(self) -> str:
        """The effect as text: a factor, or points of a share.

        >>> Effect.of(FRECHET, {0: 1.0, 1: 1.1}, {0: 2.0, 1: 2.0}).text()
        '0.52x [0.29, 0.96]'
        """
        write = _factor if self.quantity.ratio else "{:+.3f}".format
        unit = "x" if self.quantity.ratio else ""
        low, high = map(write, self.interval.ends)
        shown = f" [{low}, {high}]" if self.interval.known else ""
        return f"{write(self.interval.mean)}{unit}{shown}"


def _factor(value: float) -> str:
    """Two digits after the point; none of a factor that says no more than that it is large."""
    return f"{value:.2f}" if value < 100 else f"{value:.0f}" if value < 1000 else "over 1000"
