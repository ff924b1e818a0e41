"""A verdict on each claim of section 3.3 of the paper, and on that of dominance.

A claim of section 3.3 says that one property of a refiner makes it good: the latent space, the
discrete codes, the bands of frequency. It is judged by the arm that stands for refinement against
the arm, the best of several, that lacks this property and shares the others, in the Frechet
distance within `CALLS` calls. Other arms that differ in the property, other counts of calls and
other quantities are conditions under which it may turn.

A comparison decides if the interval over seeds leaves no difference out. Dominance is a claim
about all its comparisons: it holds where each decides for it, and does not where one decides
against it that is corrected for their number (Bonferroni).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

from images.study.findings.results import ArmResults, Findings, Spot
from images.study.findings.statistics import BITS, FRECHET, GRADIENT, SCORED, Effect

CALLS = 16
"""Calls at most that refinement is claimed to be good for."""
MANY = 10**6
FEWEST = "fewest calls"
Status = Literal["holds", "reversed", "undecided", "missing"]


@dataclass(frozen=True)
class Comparison:
    """One arm against another in one quantity under one condition.

    Args:
        challenger: The arm that the claim says is better.
        base: The other.
        condition: How many calls or how much time both may take; "" where that says nothing.
        column: What the condition is called in a table of all pairs.
        effect: The difference.
        settings: The settings of both; None where that says nothing.
    """

    challenger: str
    base: str
    condition: str
    column: str
    effect: Effect
    settings: tuple[str, str] | None

    @property
    def pair(self) -> str:
        """The two arms."""
        return f"{self.challenger} against {self.base}"

    def text(self) -> str:
        """What was compared, and the effect with its interval."""
        pair = self.pair
        if self.settings is not None:
            ours, base = self.settings
            pair = f"{self.challenger} ({ours}) against {self.base} ({base})"
        where = f", {self.condition}" if self.condition else ""
        return f"{self.effect.quantity.label} of {pair}{where}: {self.effect.text()}"


@dataclass(frozen=True)
class Verdict:
    """What the results say of a claim.

    Args:
        claim: In words.
        status: Whether it holds; "reversed" if a comparison that decides says the opposite.
        main: The comparison that decides; of dominance, the least favourable one.
        deciding: How many comparisons have to agree.
        comparisons: All of them, other conditions too.
        note: What else a reader of the verdict has to know.
    """

    claim: str
    status: Status
    main: Comparison | None
    deciding: int
    comparisons: Sequence[Comparison]
    note: str = ""

    def of(self, better: int) -> list[Comparison]:
        """Comparisons that decide for the claim (1), against it (-1), or not (0)."""
        return [each for each in self.comparisons if each.effect.better == better]

    def sentence(self) -> str:
        """The verdict with its effect."""
        said = {
            "holds": "Holds",
            "reversed": "Does not hold",
            "undecided": "Undecided",
            "missing": "No verdict, for results are missing",
        }[self.status]
        if self.main is None:
            return f"*{self.claim}.* **{said}.**"
        several = f" The least favourable of {self.deciding} comparisons:" * (self.deciding > 1)
        found = f"*{self.claim}.* **{said}.**{several} {self.main.text()}."
        if self.main.effect.interval.seeds < 2:
            found += " One seed gives no interval."
        elif self.status == "undecided" and self.main.effect.better:
            found += " Alone it would decide; as one of so many it does not."
        return found + self.note

    def conditions(self) -> str:
        """Under how many conditions it holds, and where it turns."""
        counts = [len(self.of(sign)) for sign in (1, 0, -1)]
        if not sum(counts):
            return "No condition has been measured."
        text = (
            f"Of {sum(counts)} comparisons, {counts[0]} decide for it, {counts[2]} against it, "
            f"{counts[1]} do not decide."
        )
        turned: dict[str, list[str]] = {}
        for each in self.of(-1):
            turned.setdefault(each.pair, []).append(each.column)
        said = [f"{pair} ({', '.join(columns)})" for pair, columns in turned.items()]
        return f"{text} It turns for {'; '.join(said)}." if said else text


def judge_claims(findings: Findings) -> list[Verdict]:
    """The verdicts of all claims."""
    refiner = findings.arms[findings.config.refiner]
    return [
        *(
            _judge_property(text, refiner, findings, differ)
            for text, differ in (
                ("Latent space: refining latents beats refining pixels", _in_space),
                ("Discrete domain: codes beat real values", _in_law),
                ("Frequency refinement: several scales beat one", _in_scales),
            )
        ),
        _judge_dominance(refiner, findings),
    ]


def _in_space(a: ArmResults, b: ArmResults) -> bool:
    """Whether they differ in the space only, and a has latents."""
    spaces = (a.about.space, b.about.space)
    return spaces == ("latents", "pixels") and _same(
        a, b, "law", "method", "scales", "parts", "draws"
    )


def _in_law(a: ArmResults, b: ArmResults) -> bool:
    """Whether they differ in the law only, and a has codes."""
    laws = a.about.law == "codes" and b.about.law in ("gaussian", "mixture", "flow")
    return laws and _same(a, b, "space", "method", "scales", "parts", "draws")


def _in_scales(a: ArmResults, b: ArmResults) -> bool:
    """Whether they differ in how samples come about: a over scales, b over the finest alone.

    Real values of one scale are iterated by diffusion, whose law is free.
    """
    ours, base = a.about, b.about
    if ours.method != "scales" or ours.scales == 1 or base.scales != 1:
        return False
    iterated = base.law == "free" and ours.law != "codes"
    alike = ours.space == base.space and ours.draws == base.draws
    return alike and (base.law == ours.law or iterated)


def _same(a: ArmResults, b: ArmResults, *names: str) -> bool:
    ours, base = asdict(a.about), asdict(b.about)
    return all(ours[name] == base[name] for name in ("family", *names))


def _judge_property(
    claim: str,
    refiner: ArmResults,
    findings: Findings,
    differ: Callable[[ArmResults, ArmResults], bool],
) -> Verdict:
    scales = (1, refiner.about.scales)
    pairs = [
        (a, b) for a in findings for b in findings if differ(a, b) and a.about.scales in scales
    ]
    every = [each for a, b in pairs for each in _compare(a, b)]
    lacking = [b for a, b in pairs if a is refiner]
    rivals = [(spot, b) for b in lacking if (spot := b.within(CALLS, FRECHET)) is not None]
    if len(rivals) < len(lacking) or not rivals:
        return Verdict(claim, "missing", None, 1, every)
    base = min(rivals, key=lambda pair: pair[0].mean(FRECHET))[1]
    main = next(_within(refiner, base, CALLS, f"{CALLS} calls"), None)
    if main is None:
        return Verdict(claim, "missing", None, 1, every)
    statuses: dict[int, Status] = {1: "holds", 0: "undecided", -1: "reversed"}
    return Verdict(claim, statuses[main.effect.better], main, 1, every, _floors(refiner, base))


def _floors(*arms: ArmResults) -> str:
    """A sentence about what the spaces of arms lose, where they lose anything."""
    lost = [f"{arm.label} {floor:.2f}" for arm in arms if (floor := arm.floor()) is not None]
    return f" Of test images themselves the spaces make: {', '.join(lost)}." if lost else ""


def _judge_dominance(refiner: ArmResults, findings: Findings) -> Verdict:
    claim = f"Refinement dominates every diffusion arm within {CALLS} calls"
    rivals = [arm for arm in findings if arm.about.family == "diffusion"]
    least = min((spot.calls for spot in refiner.guided), default=CALLS)
    deciding, others = list[Comparison](), list[Comparison]()
    complete = bool(rivals)
    for rival in rivals:
        steps = sorted({spot.calls for spot in rival.guided if spot.calls <= CALLS})
        complete &= bool(steps)
        for calls in sorted({max(least, each) for each in steps}):
            deciding += _within(refiner, rival, calls, f"{calls} calls")
        others += _compare(refiner, rival)
    if not deciding or not complete:
        return Verdict(claim, "missing", None, 0, [*deciding, *others])
    signs = {each.effect.better for each in deciding}
    against = [each.effect for each in deciding if each.effect.better == -1]
    lost = any(effect.decides_among(len(deciding)) for effect in against)
    status: Status = "reversed" if lost else "holds" if signs == {1} else "undecided"
    main = max(deciding, key=lambda each: (-each.effect.better, each.effect.interval.mean))
    done = {each.column for each in deciding} | {FEWEST}
    rest = [each for each in others if each.column not in done]
    return Verdict(claim, status, main, len(deciding), [*deciding, *rest])


def _compare(a: ArmResults, b: ArmResults) -> Iterator[Comparison]:
    """Every comparison of two arms: in distance by calls, by time, early; in other scores."""
    few = max(min((spot.calls for spot in arm.guided), default=1) for arm in (a, b))
    some = max(few, CALLS)
    for calls, column in ((few, FEWEST), (some, f"{CALLS} calls"), (MANY, "any cost")):
        yield from _within(a, b, calls, column)
    yield from _in_equal_time(a, b)
    yield from _early(a, b)
    ours, base = a.within(some, FRECHET), b.within(some, FRECHET)
    if ours is not None and base is not None:
        for quantity in SCORED[1:]:
            effect = Effect.of(quantity, ours.of(quantity), base.of(quantity))
            yield from _made(a, b, _at_most(some), quantity.label, effect, (ours, base))
    yield from _made(a, b, "", BITS.label, _bits(a, b))
    gradients = Effect.of(GRADIENT, a.gradients(), b.gradients())
    yield from _made(a, b, "", GRADIENT.label, gradients)


def _bits(a: ArmResults, b: ArmResults) -> Effect | None:
    """Difference of bits; an upper bound decides only where it is below what is exact."""
    effect = Effect.of(BITS, a.number("bits", "bits"), b.number("bits", "bits"))
    larger = {1: b, -1: a}.get(effect.better if effect else 0)
    if effect is None or larger is None:
        return effect
    kinds = {part["kind"] for part in larger.part("bits").values()}
    return effect if kinds == {"exact"} else replace(effect, better=0)


def _within(a: ArmResults, b: ArmResults, calls: int, column: str) -> Iterator[Comparison]:
    """In distance, each arm by its best setting of at most so many calls."""
    ours, base = a.within(calls, FRECHET), b.within(calls, FRECHET)
    if ours is not None and base is not None:
        effect = Effect.of(FRECHET, ours.of(FRECHET), base.of(FRECHET))
        yield from _made(a, b, _at_most(calls), column, effect, (ours, base))


def _in_equal_time(a: ArmResults, b: ArmResults) -> Iterator[Comparison]:
    """In distance, where the other may take as long as the first at its best of few calls."""
    ours = a.within(CALLS, FRECHET)
    if ours is None or ours.ms is None:
        return
    quick = [s for s in b.guided if s.ms is not None and s.ms <= ours.ms and s.of(FRECHET)]
    if quick:
        base = min(quick, key=lambda spot: spot.mean(FRECHET))
        effect = Effect.of(FRECHET, ours.of(FRECHET), base.of(FRECHET))
        yield from _made(a, b, f"within {ours.ms:.1f} ms", "equal time", effect, (ours, base))


def _early(a: ArmResults, b: ArmResults) -> Iterator[Comparison]:
    """In distance of unguided samples at the first point of the learning curve."""
    curves = [list(arm.curve().values()) for arm in (a, b)]
    if all(len(curve) > 1 for curve in curves):
        effect = Effect.of(FRECHET, curves[0][0], curves[1][0])
        yield from _made(a, b, "early in training, unguided", "early", effect)


def _made(
    a: ArmResults,
    b: ArmResults,
    condition: str,
    column: str,
    effect: Effect | None,
    spots: tuple[Spot, Spot] | None = None,
) -> Iterator[Comparison]:
    """The comparison, where there is an effect."""
    if effect is not None:
        settings = None if spots is None else (spots[0].name, spots[1].name)
        yield Comparison(a.label, b.label, condition, column, effect, settings)


def _at_most(calls: int) -> str:
    return "at any cost" if calls == MANY else f"within {calls} call" + "s" * (calls > 1)
