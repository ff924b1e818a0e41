"""The tables of a report, in Markdown: values by forecast, variable and lead time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from refine_core.app.report import number, table
from weather.fields.labels import best_known, leads_to_show, readable_unit
from weather.verification.baselines import NAMES
from weather.verification.report import Curve, Estimate, ScoreTable, VerificationReport
from weather.verification.statistics import BANDS

SHOWN_CHANNELS = (
    "geopotential_500",
    "temperature_850",
    "u_component_of_wind_850",
    "2m_temperature",
    "mean_sea_level_pressure",
    "total_precipitation_6hr",
)
"""Channels that tables and pictures show, if there are `LEAST_CHANNELS` of them."""
LEAST_CHANNELS, MOST_CHANNELS, MOST_LEADS = 3, 6, 5
BASELINES_OF = {
    "crps_fair": ("climatological ensemble", "dressed persistence"),
    "rmse": ("climatology", "persistence"),
    "acc": ("persistence",),
    "brier_fair": ("climatological ensemble",),
    "energy": ("climatological ensemble",),
    "variogram": ("climatological ensemble",),
    "average_crps": ("climatological ensemble",),
    "max_crps": ("climatological ensemble",),
}
"""Baselines that a table shows, by the beginning of the score's name."""
TOWARDS_ONE = ("spread_skill", "slope", "event_slope", "acc")
"""Beginnings of the names of scores that have no unit and are best at 1."""
PROBABILITIES = (0, 2, 4, 6, 8, 10)
"""Forecast probabilities, in tenths, that the table of reliability shows."""
UNDEFINED = "–"
Lines = Iterator[list[str]]
"""Rows of a table; a first cell that is that of the row above is left empty."""


@dataclass(frozen=True)
class ReportTables:
    """The tables of a report; each is empty where there is nothing to show.

    Args:
        report: What `verify` returned.
    """

    report: VerificationReport

    @cached_property
    def first(self) -> str:
        """Name of the forecast verified."""
        return next(iter(self.report["scores"]))

    @cached_property
    def main(self) -> str:
        """The region of all tables but that of regions."""
        return self.report["regions"][0]

    @cached_property
    def channels(self) -> list[str]:
        """The channels that tables show."""
        return shown_channels(self.report)

    @cached_property
    def leads(self) -> list[int]:
        """Indices of the lead times that tables show."""
        return leads_to_show(self.report["lead_days"], MOST_LEADS)

    @cached_property
    def few_leads(self) -> list[int]:
        """The first, a middle and the last of them."""
        return sorted({self.leads[i] for i in (0, len(self.leads) // 2, -1)})

    def score(self, score: str, region: str, rows: Sequence[str], *, twin: bool = False) -> str:
        """A score of forecasts, the best in bold.

        The forecast verified has its 95 % interval, if there are enough starts for one.

        Args:
            score: Its name in the report.
            region: The region.
            rows: Channels, and sets of them; those without the score are left out.
            twin: Whether to show the shuffled twin of the first forecast.
        """
        return self._by_lead("variable", "forecast", self._score(score, region, rows, twin))

    def multiples(self, score: str) -> str:
        """A score of forecasts and baselines over the limit's; that of the first with interval."""
        limit = self.report["limit"]
        if limit is None:
            return ""

        def lines() -> Lines:
            for channel in self.channels:
                for name in self._shown(score):
                    tables = limit["multiples"].get(name, {})
                    found = tables.get(channel, {}).get(self.main, {}).get(score)
                    if found is not None:
                        yield [channel, name, *self._cells(found, interval=name == self.first)]

        return self._by_lead("variable", "forecast", lines())

    def skill(self, scores: Mapping[str, str], mean: str) -> str:
        """How much better the first forecast is than each other, in per cent.

        Args:
            scores: Names of scores in the report, and what they are called; only the first is
                shown of baselines.
            mean: Row of the comparisons.
        """

        def lines() -> Lines:
            for name, compared in self.report["differences"].items():
                found = compared["skill"].get(mean, {}).get(self.main, {})
                for score in list(scores)[: 1 if name in NAMES else None]:
                    if score in found:
                        yield [name, scores[score], *self._percents(found[score])]

        return self._by_lead("other", "score", lines())

    def structure(self, scores: Mapping[str, Mapping[str, str]]) -> str:
        """How much better forecasts are than their shuffled twins, in per cent.

        Args:
            scores: Names of scores, and what they are called, by row of the comparisons.
        """

        def lines() -> Lines:
            for name, twin in self.report["shuffled"].items():
                for row, titles in scores.items():
                    found = twin["skill"].get(row, {}).get(self.main, {})
                    for score, title in titles.items():
                        if score in found:
                            yield [name, title, *self._percents(found[score])]

        return self._by_lead("forecast", "score", lines())

    def reliability(self, event: str) -> str:
        """How often an event came true, in per cent, by probability, with the count of cells."""
        tables = self.report.get("reliability", {}).get(event, {}).get(self.first)
        if not tables or self.report["members"][self.first] < 2:
            return ""

        def lines() -> Lines:
            for channel in self.channels:
                for lead in self.few_leads:
                    curve = tables[channel][self.main][lead]
                    cells = [
                        _observed(curve["observed"][p], ends(curve["low"], curve["high"], p),
                                  curve["cells"][p])
                        for p in PROBABILITIES
                    ]  # fmt: skip
                    yield [channel, self._days(lead), *cells]

        return _table(["variable", "lead time", *(f"{10 * p} %" for p in PROBABILITIES)], lines())

    def flow(self) -> str:
        """By how much spread and error grow from the cells of least spread to those of most."""

        def lines() -> Lines:
            for channel in self.channels:
                for name, tables in self._shown("flow").items():
                    found = tables[channel][self.main]
                    if "flow_error" in found:
                        pairs = zip(
                            self._cells(found["flow_spread"]),
                            self._cells(found["flow_error"], interval=name == self.first),
                            strict=True,
                        )
                        yield [channel, name, *(" → ".join(pair) for pair in pairs)]

        return self._by_lead("variable", "forecast", lines())

    def waves(self) -> str:
        """Differences of members over those of members and truth, by band of wavenumbers."""

        def lines() -> Lines:
            for channel in self.channels:
                found = self.report["scores"][self.first][channel][self.main]
                for lead in self.few_leads if "waves_1-3" in found else ():
                    bands = [found.get(f"waves_{band}") for band in BANDS]
                    cells = ["" if each is None else cell(each, lead) for each in bands]
                    yield [channel, self._days(lead), *cells]

        return _table(["variable", "lead time", *BANDS], lines())

    def dry(self) -> str:
        """Share of dry cells in per cent, in the truth and in forecasts."""

        def lines() -> Lines:
            for channel in self.report["channels"]:
                ours = self.report["scores"][self.first][channel][self.main]
                if "dry" in ours:
                    yield [channel, "truth", *self._cells(ours["dry_truth"], 100)]
                    for name, tables in self._shown("dry").items():
                        found = tables[channel][self.main].get("dry")
                        if found is not None:
                            interval = name == self.first
                            yield [channel, name, *self._cells(found, 100, interval=interval)]

        return self._by_lead("variable", "forecast", lines())

    def balance(self) -> str:
        """Correlation of wind and geostrophic wind, and what they differ by."""

        def lines() -> Lines:
            truth = {"truth": self.report["scores"][self.first]}
            for row in self.report["sets"]:
                for name, tables in (truth | self._shown("balance", twin=True)).items():
                    suffix = "_truth" if name == "truth" else ""
                    found = tables.get(row, {}).get(self.main, {})
                    if f"geostrophic_correlation{suffix}" in found:
                        pairs = zip(
                            *(
                                self._cells(found[f"{n}{suffix}"], interval=name == self.first)
                                for n in ("geostrophic_correlation", "ageostrophic_rms")
                            ),
                            strict=True,
                        )
                        yield [row, name, *("; ".join(pair) for pair in pairs)]

        return self._by_lead("level (hPa)", "forecast", lines())

    def regions(self) -> str:
        """Fair CRPS of the first forecast in all regions but the main one, and its multiples."""

        def lines() -> Lines:
            for channel in self.channels:
                label, factor = self._label(channel, "crps_fair")
                for region in self.report["regions"][1:]:
                    found = self.report["scores"][self.first][channel][region]["crps_fair"]
                    multiple = self._in_brackets(channel, region, "crps_fair")
                    cells = self._cells(found, factor, interval=True)
                    yield [label, region, *map("".join, zip(cells, multiple, strict=True))]

        return self._by_lead("variable", "region", lines())

    def _score(self, score: str, region: str, rows: Sequence[str], twin: bool) -> Lines:
        ideal = 1.0 if score.startswith(TOWARDS_ONE) else 0.0
        for row in rows:
            label, factor = self._label(row, score)
            found = {
                name: tables[row][region][score]
                for name, tables in self._shown(score, twin=twin).items()
                if score in tables.get(row, {}).get(region, {})
            }
            rivals = {name: each for name, each in found.items() if name in self.report["scores"]}
            best = {
                t: _best({n: each["value"][t] for n, each in rivals.items()}, ideal)
                for t in self.leads
                if len(rivals) > 1
            }
            for name, estimate in found.items():
                interval = name == self.first
                cells = [
                    cell(estimate, t, factor, bold=name == best.get(t), interval=interval)
                    for t in self.leads
                ]
                yield [label, name, *cells]

    def _shown(self, score: str, *, twin: bool = False) -> dict[str, ScoreTable]:
        """The forecasts in the table of a score, by name."""
        scores = self.report["scores"]
        baselines = next((n for start, n in BASELINES_OF.items() if score.startswith(start)), ())
        shown = {self.first: scores[self.first]}
        if twin and self.first in self.report["shuffled"]:
            shown[f"{self.first}, shuffled"] = self.report["shuffled"][self.first]["scores"]
        shown |= {n: each for n, each in scores.items() if n not in NAMES or n in baselines}
        return shown | ({"limit": limit["scores"]} if (limit := self.report["limit"]) else {})

    def _in_brackets(self, channel: str, region: str, score: str) -> list[str]:
        """The multiples of the limit of the first forecast; empty where there are none."""
        limit = self.report["limit"]
        found = limit and limit["multiples"][self.first][channel][region].get(score)
        values = [found["value"][t] if found else None for t in self.leads]
        return ["" if value is None else f" ({number(value)}×)" for value in values]

    def _label(self, row: str, score: str) -> tuple[str, float]:
        """A row's name with its unit, and the factor to that unit."""
        unit = self.report["channels"].get(row, "")
        if not unit or score.startswith((*TOWARDS_ONE, "brier")):
            return row, 1.0
        factor, unit = readable_unit(unit)
        return f"{row} ({unit})", factor

    def _cells(
        self, estimate: Estimate, factor: float = 1.0, *, interval: bool = False
    ) -> list[str]:
        return [cell(estimate, t, factor, interval=interval) for t in self.leads]

    def _percents(self, estimate: Estimate) -> list[str]:
        return [_percent(estimate, t) for t in self.leads]

    def _by_lead(self, first: str, second: str, lines: Lines) -> str:
        return _table([first, second, *map(self._days, self.leads)], lines)

    def _days(self, lead: int) -> str:
        return f"{self.report['lead_days'][lead]:g} d"


def shown_channels(report: VerificationReport) -> list[str]:
    """The channels that tables and pictures show."""
    names = list(report["channels"])
    known = [name for name in SHOWN_CHANNELS if name in names]
    return known if len(known) >= LEAST_CHANNELS else best_known(names, MOST_CHANNELS)


def _table(titles: Sequence[str], lines: Lines) -> str:
    """A table in which repeated first cells are empty; nothing without a row."""
    rows, above = [], None
    for line in lines:
        rows.append(["" if line[0] == above else line[0], *line[1:]])
        above = line[0]
    return table(titles, rows) if rows else ""


def ends(low: Curve | None, high: Curve | None, place: int) -> tuple[float, float] | None:
    """The ends of an interval; None if there is none or it is not defined."""
    if low is None or high is None:
        return None
    first, last = low[place], high[place]
    return None if first is None or last is None else (first, last)


def cell(
    estimate: Estimate,
    lead: int,
    factor: float = 1.0,
    *,
    bold: bool = False,
    interval: bool = True,
) -> str:
    """An estimate at a lead time, with its interval if wanted."""
    value = estimate["value"][lead]
    if value is None:
        return UNDEFINED
    text = number(factor * value)
    text = f"**{text}**" if bold else text
    found = ends(estimate["low"], estimate["high"], lead) if interval else None
    return text if found is None else f"{text} [{', '.join(number(factor * e) for e in found)}]"


def _percent(estimate: Estimate, lead: int) -> str:
    value, interval = estimate["value"][lead], ends(estimate["low"], estimate["high"], lead)
    if value is None:
        return UNDEFINED
    if interval is None:
        return _tenths(100 * value)
    low, high = interval
    bold = "**" if low > 0 or high < 0 else ""
    return f"{bold}{_tenths(100 * value)}{bold} [{_tenths(100 * low)}, {_tenths(100 * high)}]"


def _tenths(value: float) -> str:
    """One digit after the point; no zero has a sign."""
    return f"{round(value, 1) + 0.0:.1f}"


def _observed(
    value: float | None, interval: tuple[float, float] | None, cells: float | None
) -> str:
    if value is None or not cells:
        return UNDEFINED
    both = "" if interval is None else f" [{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]"
    return f"{100 * value:.0f}{both} ({cells:.0f})"


def _best(values: Mapping[str, float | None], ideal: float) -> str:
    known = {name: abs(value - ideal) for name, value in values.items() if value is not None}
    return min(known, key=known.__getitem__, default="")
