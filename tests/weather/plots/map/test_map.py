"""Coastlines, views and the grid closed around the globe."""

import numpy as np
import pytest

from refine_core.errors import InputError
from weather.fields.grid import Grid
from weather.plots.map.coastlines import coastline, coastlines_between
from weather.plots.map.extent import choose_view
from weather.plots.map.projections import PolarCap, Rectangle, visible
from weather.plots.map.wrapped_grid import WrappedGrid

GRID = Grid(np.arange(-87.5, 90.0, 5.0), np.arange(0.0, 360.0, 10.0))
CAPES = {"Good Hope": (18.4, -34.1), "Horn": (-67.3, -55.6), "Farewell": (-43.9, 59.9)}


def test_no_line_crosses_the_dateline() -> None:
    steps = [np.abs(np.diff(line, axis=0)) for line in coastline()]
    assert max(step[:, 0].max() for step in steps) < 15
    points = np.concatenate(coastline())
    assert np.abs(points[:, 0]).max() <= 180
    assert np.abs(points[:, 1]).max() < 90
    assert len(points) > 4000
    for longitude, latitude in CAPES.values():
        assert np.hypot(points[:, 0] - longitude, points[:, 1] - latitude).min() < 1.5
    # Chukotka is cut, and goes on at the other end.
    ends = points[np.abs(points[:, 0]) == 180]
    west, east = (sorted(ends[ends[:, 0] == edge, 1]) for edge in (-180, 180))
    assert west == east


def test_coasts_go_on_over_the_edge_of_a_map() -> None:
    pacific = coastlines_between(120.0, 240.0)
    steps = np.abs(np.diff(pacific, axis=0))
    assert np.nanmax(steps) < 15
    for longitude, latitude in ((174.8, -41.3), (180.0 + 180 - 155.5, 19.6)):  # Wellington, Hawaii
        assert np.nanmin(np.hypot(*(pacific - (longitude, latitude)).T)) < 1.5


@pytest.mark.parametrize("centre", [0.0, 180.0, -77.0])
def test_a_closed_map_goes_on_at_its_seam(centre: float) -> None:
    wrapped = WrappedGrid(GRID, centre)
    angle = np.deg2rad(GRID.longitude)
    maps = np.cos(np.deg2rad(GRID.latitude))[:, None] * np.cos(angle - 1) + 3.0
    closed = wrapped(np.stack([maps, 2 * maps]))
    assert wrapped.longitude[0] < centre - 180 + 1e-9
    assert wrapped.longitude[-1] > centre + 180 - 1e-9
    assert (np.diff(wrapped.longitude) > 0).all()
    up, across = np.deg2rad(wrapped.latitude)[:, None], np.deg2rad(wrapped.longitude)
    expected = np.cos(up) * np.cos(across - 1) + 3.0
    np.testing.assert_allclose(closed[0], expected, atol=1e-6)  # at the poles, too
    np.testing.assert_allclose(closed[1], 2 * closed[0])
    assert wrapped.latitude[[0, -1]].tolist() == [-90.0, 90.0]


def test_a_part_of_the_globe_stays_in_one_piece() -> None:
    wrapped = WrappedGrid(Grid(np.array([40.0, 50.0]), np.array([0.0, 10.0, 340.0, 350.0])))
    assert not wrapped.is_global
    assert wrapped.longitude.tolist() == [-20.0, -10.0, 0.0, 10.0]
    assert wrapped(np.arange(4.0) + np.zeros((2, 1)))[0].tolist() == [2.0, 3.0, 0.0, 1.0]
    assert wrapped.bounds == (40.0, 50.0, -20.0, 10.0)


def test_caps_are_seen_from_above_their_pole() -> None:
    north, south = PolarCap(30.0), PolarCap(30.0, northern=False)
    greenwich, east = np.array([0.0]), np.array([90.0])
    for cap, sign in ((north, 1), (south, -1)):
        np.testing.assert_allclose(cap.project(greenwich, np.array([sign * 90.0])), 0, atol=1e-9)
        x, y = cap.project(greenwich, np.array([sign * 30.0]))
        assert (x[0], y[0]) == pytest.approx((0.0, -sign))
        assert cap.project(east, np.array([sign * 30.0]))[0] == pytest.approx(1.0)
    # Stereographic: angles are kept, so a step north is as long as one east.
    x, y = north.project(np.array([0.0, 0.1 / np.cos(np.pi / 3)]), np.array([60.0, 60.0]))
    _, up = north.project(greenwich, np.array([60.1]))
    assert np.hypot(x[1] - x[0], y[1] - y[0]) == pytest.approx(up[0] - y[0], rel=1e-2)


def test_views_suit_the_grid_and_what_is_asked() -> None:
    part = Grid(np.arange(30.0, 71.0, 10.0), np.array([0.0, 10.0, 350.0]))
    assert choose_view(GRID, "", None, None, default="north") == PolarCap(20.0)
    assert choose_view(GRID, "south", (-90.0, -40.0), None, default="") == PolarCap(40.0, False)
    assert choose_view(part, "", None, None, default="north") == Rectangle(30.0, 70.0, -10.0, 10.0)
    pacific = choose_view(GRID, "", (-10.0, 40.0), (150.0, -120.0), default="north")
    assert pacific == Rectangle(-10.0, 40.0, 150.0, 240.0)
    rows, columns = visible(pacific, GRID)
    assert GRID.longitude[columns.ravel()].tolist() == list(range(150, 241, 10))
    assert GRID.latitude[rows.ravel()].min() == -7.5
    with pytest.raises(InputError, match="leave out --view"):
        choose_view(part, "north", None, None, default="globe")
