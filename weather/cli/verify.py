"""`refine weather verify`: is a forecast any good?"""

from pathlib import Path

import tyro

from refine_core.app.options import arguments
from refine_core.app.progress import say
from refine_core.errors import InputError
from weather.fields.regions import REGIONS
from weather.io.files import open_files


def verify(argv: list[str]) -> None:
    """Measure a forecast against the truth, baselines and other forecasts."""

    def run(
        forecast: tyro.conf.Positional[str],
        truth: str,
        history: str | None = None,
        against: tuple[str, ...] = (),
        leads: tuple[float, ...] = (),
        variables: tuple[str, ...] = (),
        regions: tuple[str, ...] = tuple(REGIONS),
        seed: int = 0,
        out: Path = Path("verification"),
    ) -> None:
        """Measure a forecast.

        Writes metrics.json, REPORT.md and pictures, and prints the fair CRPS over the globe.

        Args:
            forecast: Path or URL of a forecast, of any number of members: ours, or in the layout
                of WeatherBench 2.
            truth: Path or URL of what happened.
            history: Path or URL of earlier states for climatology and dressed persistence; by
                default those of the truth. States later than 15 days before the first start are
                not used.
            against: Other forecasts to compare with, start by start, as name=path.
            leads: Lead times in days; by default all.
            variables: Such as geopotential or geopotential_500; by default all.
            regions: Parts of the globe; the first is drawn.
            seed: Of ties in ranks, and of the intervals.
            out: Folder for the report.
        """
        from weather.verification.report import table, write
        from weather.verification.run import verify as measure

        name = Path(forecast.rstrip("/")).stem or "forecast"
        pairs = [_named(text) for text in against]
        others = dict(pairs)
        if len(others) < len(pairs):
            raise InputError(f"Found --against {' '.join(against)}: give each another name.")
        report = measure(
            open_files(forecast),
            open_files(truth),
            None if history is None else open_files(history),
            variables=variables,
            lead_days=leads,
            regions=regions,
            against={other: open_files(path) for other, path in others.items()},
            seed=seed,
            name=name,
            quiet=False,
        )
        write(report, out)
        for note in report["notes"]:
            say(f"note: {note}")
        print(f"Fair CRPS, {regions[0]}\n\n{table(report, 'crps_fair', regions[0])}")
        print(f"\nreport: {out / 'REPORT.md'}")

    arguments(run, argv, "refine weather verify")


def _named(text: str) -> tuple[str, str]:
    """Name and path of name=path."""
    name, sign, path = text.partition("=")
    if not (name and sign and path):
        raise InputError(f"Found --against {text!r}, expected name=path.")
    return name, path
