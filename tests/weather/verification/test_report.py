"""Verification: what the report says, and its pictures."""

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from refine_core.app.figures import house_style
from refine_core.app.html import Figure, Text
from tests.weather.forecasts import ensemble, starts, world
from weather.fields.labels import channel_title
from weather.plots.figure import BASELINES, MAIN, OTHERS, add_heading
from weather.verification import score_plots
from weather.verification.baselines import NAMES
from weather.verification.bootstrap import ENOUGH, LEAST
from weather.verification.report import MEAN, VerificationReport
from weather.verification.report_tables import shown_channels
from weather.verification.report_writer import markdown, web_page, write_files
from weather.verification.run import verify

WORLD = world()


def report(count: int, **options: Any) -> VerificationReport:
    """Of so many independent starts."""
    made = ensemble(WORLD, 3, starts(count, "2002-02-01", 10))
    return verify(made, WORLD, variables=["temperature_850"], regions=["global"], **options)


@pytest.mark.parametrize(
    ("count", "note"),
    [
        (2, "There are no intervals: they need 5 blocks of starts or more, found 2."),
        (LEAST - 1, "There are no intervals: they need 5 blocks of starts or more, found 4."),
        (LEAST, "Intervals are too narrow: they need 20 blocks of starts or more, found 5."),
        (ENOUGH, ""),
    ],
)
def test_few_starts_have_no_intervals_or_a_warning(count: int, note: str) -> None:
    found = report(count)
    text = markdown(found)
    leaf = found["differences"]["persistence"]["skill"]["temperature_850"]["global"]["crps_fair"]
    enough = count >= LEAST
    assert (leaf["low"] is not None) == enough
    assert ("95 % of the resamples" in text) == ("leaves out zero" in text) == enough
    assert ("** [" in text) == enough
    assert [n for n in found["notes"] if "ntervals" in n] == ([note] if note else [])


def test_starts_of_one_block_are_not_independent() -> None:
    daily = ensemble(WORLD, 3, starts(20, "2002-02-01", 1))
    found = verify(daily, WORLD, variables=["temperature_850"], regions=["global"])
    assert any("no intervals: they need 5 blocks of starts or more, found 4" in n
               for n in found["notes"])  # fmt: skip


def test_what_is_not_defined_is_a_dash_and_not_plotted() -> None:
    found = report(2, history=WORLD.isel(time=slice(None, None, 2)))
    row = next(line for line in markdown(found).splitlines() if "| dressed persistence |" in line)
    first, second, third = (cell.strip() for cell in row.split("|")[3:6])
    assert first == third == "–"
    assert float(second) > 0
    axis = score_plots.curves(found, "crps_fair").axes[0]
    days = [np.asarray(line.get_xdata()).tolist() for line in axis.lines]
    assert {len(each) for each in days} == {1, 3}
    (dressed,) = (line for line, each in zip(axis.lines, days, strict=True) if each == [2])
    assert dressed.get_marker() == "."


@pytest.mark.parametrize("leads", [1, 2, 3, 4])
def test_pictures_of_one_variable_are_as_wide_as_their_text(leads: int) -> None:
    days = ensemble(WORLD, 3, starts(2), leads=4)
    found = verify(days, WORLD, variables=["temperature_850"], regions=["southern-extratropics"],
                   lead_days=range(1, leads + 1), against={"control": days})  # fmt: skip
    with house_style():
        for figure in (
            score_plots.curves(found, "rmse"),
            score_plots.spectra(found, ratio=True),
            score_plots.rank_histograms(found),
            score_plots.reliability_diagrams(found),
            score_plots.control_differences(found, "crps_fair"),
        ):
            add_heading(
                figure, "RMSE of the ensemble mean, southern-extratropics: lower is better"
            )
            boxes = [each.get_window_extent() for each in (*figure.texts, *figure.legends)]
            assert boxes
            assert min(box.x0 for box in boxes) >= 0
            assert max(box.x1 for box in boxes) <= figure.bbox.width


def test_the_page_says_what_the_markdown_says(tmp_path: Path) -> None:
    found = report(LEAST)
    write_files(found, tmp_path, lambda: [Text("No maps.")])
    page = web_page(found, dict.fromkeys(("crps.png", "ranks.png"), "A picture"), tmp_path, [])
    skill = found["differences"]["climatological ensemble"]["skill"][MEAN]["global"]["crps_fair"]
    first, last = (100 * (skill["value"][lead] or 0) for lead in (0, -1))
    words = [("lower" if each >= 0 else "higher", abs(each)) for each in (first, last)]
    said = [f"**{word} by {value:.0f} %**" for word, value in words]
    assert all(text in page.verdict for text in said)
    label = "lower CRPS than climatological ensemble"
    (figure,) = (each for each in page.figures if each.label == label)
    assert figure.beside == "day 2" and " to " in figure.interval
    assert [section.title for section in page.sections] == [
        *("Skill", "Calibration", "Joint structure", "Other pictures", "How to read it")
    ]
    text = markdown(found)
    figures = [each for section in page.sections for each in section.blocks]
    tables = [each.table for each in figures if isinstance(each, Figure) and each.table]
    assert tables and all(table in text for table in tables)
    html = (tmp_path / "report.html").read_text()
    assert "No maps." in html and html.index("Maps") < html.index("Skill")


def test_controls_are_drawn_as_differences_with_intervals() -> None:
    worse = ensemble(WORLD, 3, starts(LEAST, "2002-02-01", 10), spread=3.0, seed=2)
    found = report(LEAST, against={"worse": worse})
    figure = score_plots.control_differences(found, "crps_fair")
    (axis,) = (each for each in figure.axes if each.get_title())
    zero, line = axis.lines
    assert np.asarray(zero.get_ydata()).tolist() == [0, 0]
    assert line.get_linestyle() == "None" and line.get_marker() == "o"
    leaf = found["differences"]["worse"]["skill"]["temperature_850"]["global"]["crps_fair"]
    expected = 100 * np.array(leaf["value"], float)
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), expected)
    (bars,) = axis.collections
    ends = np.stack([np.asarray(path.vertices)[:, 1] for path in bars.get_paths()], 1)
    low, high = (100 * np.array(leaf[end], float) for end in ("low", "high"))
    np.testing.assert_allclose(ends, [low, high])
    assert (expected > 0).all()


def test_controls_whose_differences_are_drawn_have_no_line_on_that_of_the_first() -> None:
    dates = starts(2, "2002-02-01", 10)
    found = report(
        2, against={n: ensemble(WORLD, 3, dates, seed=s) for n, s in (("a", 2), ("b", 3))}
    )
    counts = [len(score_plots.curves(found, n).axes[0].lines) for n in ("crps_fair", "rmse")]
    assert counts == [1 + len(NAMES)] * 2
    figure = score_plots.control_differences(found, "rmse")
    (axis,) = (each for each in figure.axes if each.get_title())
    places = [np.asarray(line.get_xdata(), float) for line in axis.lines[1:]]
    assert len(places) == 2 and (places[1] > places[0]).all()  # side by side


def test_pictures_show_the_channels_of_the_tables() -> None:
    made = ensemble(WORLD, 3, starts(2, "2002-02-01", 10))
    names = [f"tracer{letter}" for letter in "abcdefghij"]
    truth, many = (
        data.assign({name: data["mean_sea_level_pressure"] for name in names})
        for data in (WORLD, made)
    )
    found = verify(many, truth, regions=["global"])
    shown = shown_channels(found)
    assert "mean_sea_level_pressure" in shown and len(shown) == 6
    titles = [axis.get_title() for axis in score_plots.rank_histograms(found).axes]
    assert titles == [channel_title(name) for name in shown]


def test_differences_of_members_are_drawn_as_the_table_has_them() -> None:
    found = report(3)
    inner, error = (
        np.array(found[kind]["forecast"]["temperature_850"]["global"][0], float)[1:]
        for kind in ("difference_spectrum", "error_spectrum")
    )
    (axis,) = score_plots.differences(found).axes
    np.testing.assert_allclose(
        np.asarray(axis.lines[0].get_ydata(), float), np.sqrt(inner / error)
    )


def test_labels_of_ratios_are_within_the_picture() -> None:
    (axis,) = score_plots.spectra(report(3), ratio=True).axes
    axis.set_ylim(2.0**-5, 1)
    score_plots._octaves(axis)
    assert [label.get_text() for label in axis.get_yticklabels()] == [
        *("1/32", "1/8", "1/2", "2", "8", "32")
    ]


def test_pictures_of_controls_are_made_where_there_are_some(tmp_path: Path) -> None:
    dates = starts(2, "2002-02-01", 10)
    other = {count: ensemble(WORLD, count, seed=3, inits=dates) for count in (1, 3)}
    alone, against = report(2, against={"one": other[1]}), report(2, against={"other": other[3]})
    names = {f"controls_{score}.png" for score in score_plots.CONTROLLED}
    assert not names & set(score_plots.plot_scores(alone, tmp_path))
    assert names <= set(score_plots.plot_scores(against, tmp_path))
    assert names <= {path.name for path in tmp_path.iterdir()}


def test_shares_of_cells_stand_under_reliability() -> None:
    found = report(3)
    (axis,) = score_plots.reliability_diagrams(found).axes
    (sharpness,) = axis.child_axes
    lines = [line for line in sharpness.lines if line.get_marker() == "o"]
    curve = found["reliability"]["0.9"]["forecast"]["temperature_850"]["global"][0]
    cells = np.array(curve["cells"], float)
    shown = np.asarray(lines[0].get_ydata(), float)
    np.testing.assert_allclose(shown, cells / cells.sum())
    assert shown.sum() == pytest.approx(1)
    assert sharpness.get_xlabel() == "forecast probability"
    assert not axis.xaxis.get_tick_params()["labelbottom"]


def test_solid_lines_have_colours_that_can_be_told_apart() -> None:
    assert tuple(BASELINES) == NAMES
    solid = [MAIN, *OTHERS, *(colour for colour, dashes in BASELINES.values() if dashes == "-")]
    for one, other in combinations(map(to_rgb, solid), 2):
        assert np.linalg.norm(np.subtract(one, other)) > 0.25


def test_a_small_file_holds_the_numbers_of_the_tables(tmp_path: Path) -> None:
    dates = starts(LEAST, "2002-02-01", 10)
    others = {"other": ensemble(WORLD, 3, dates, seed=3)}
    found = report(LEAST, against=others, limit=ensemble(WORLD, 3, dates, seed=4))
    write_files(found, tmp_path)
    kept = json.loads((tmp_path / "metrics.json").read_text())
    assert json.loads((tmp_path / "metrics_all.json").read_text()) == found

    def of(table: Any, score: str = "crps_fair") -> Any:
        return table["temperature_850"]["global"][score]

    whole = of(found["scores"]["forecast"])
    for part, values in of(kept["scores"]["forecast"]).items():
        np.testing.assert_allclose(values, whole[part], rtol=1e-3)
    assert set(of(kept["scores"]["other"])) == {"value"}
    assert "mae" in found["scores"]["other"]["temperature_850"]["global"]
    assert "mae" not in kept["scores"]["other"]["temperature_850"]["global"]
    assert set(of(kept["skill"]["other"], "rmse")) == {"value", "low", "high"}
    assert list(kept["skill"]["persistence"]) == [MEAN]
    assert list(kept["limit"]["multiples"]) == ["forecast"]
    assert len(kept["spectrum"]["truth"]["temperature_850"]) == len(kept["lead_days"])


def test_few_starts_give_multiples_of_the_limit_no_interval() -> None:
    made = ensemble(WORLD, 3, starts(20, "2002-02-01", 10))
    limits = [report(count, limit=made)["limit"] for count in (2, 20)]
    few, many = (
        limit["multiples"]["forecast"]["temperature_850"]["global"]["crps_fair"]
        for limit in limits
        if limit is not None
    )
    assert few["low"] is None and many["low"] is not None
