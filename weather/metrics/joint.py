"""Energy score and variogram score, which depend on how the points of a map vary together.

Scores of single points are the same for an ensemble of weather maps and for one whose points
were shuffled between members. The energy score is the CRPS of vectors,

    ES = 1/M sum_i ||x_i - y||  -  1/(2 M (M - 1)) sum_ij ||x_i - x_j||

(Gneiting & Raftery 2007, doi:10.1198/016214506000001437), with the root of the area-weighted mean
square as norm. The variogram score compares differences between points a and b,

    VS = sum_ab w_ab ( |y_a - y_b|^p - 1/M sum_i |x_ia - x_ib|^p )^2

(Scheuerer & Hamill 2015, doi:10.1175/MWR-D-14-00269.1). It is taken on means over tiles of the
map, as it costs the square of the points; its fair form subtracts the variance of the mean over
the members, so that its mean does not depend on M either.
"""

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid


def energy_score(ensemble: Array, truth: Array, weight: Array, *, fair: bool = True) -> Array:
    """Energy score.

    Args:
        ensemble: (M, ..., H, W).
        truth: (..., H, W).
        weight: (R, H, W) of the cells in each region, of sum 1.
        fair: Whether to remove the bias of a finite ensemble.

    Returns:
        (..., R), in the ensemble's units; of one member, the norm of its error.
    """
    members = len(ensemble)
    error = ensemble - truth
    error = error.reshape(*error.shape[:-2], -1)
    cells = weight.reshape(len(weight), -1)
    skill: Array = np.sqrt(error**2 @ cells.T).mean(0)
    if members == 1:
        return skill
    deviation = np.moveaxis(error - error.mean(0), 0, -2)  # so that distances do not cancel
    pairs = members * (members - 1) if fair else members**2
    result = np.empty_like(skill)
    for region, root in enumerate(np.sqrt(cells).astype(error.dtype)):
        scaled = deviation * root
        products = scaled @ scaled.swapaxes(-1, -2)
        square = products.diagonal(axis1=-2, axis2=-1)
        square = square[..., :, None] + square[..., None, :] - 2 * products
        distance = np.sqrt(np.maximum(square, 0)).sum((-1, -2))
        result[..., region] = skill[..., region] - distance / (2 * pairs)
    return result


def variogram_score(
    ensemble: Array, truth: Array, weight: Array, *, power: float = 0.5, fair: bool = True
) -> Array:
    """Variogram score.

    Args:
        ensemble: (M, ..., d).
        truth: (..., d).
        weight: (R, d, d) of the pairs, by region.
        power: p, of the differences.
        fair: Whether to remove the bias of a finite ensemble; has no effect on one member.

    Returns:
        (..., R), in the ensemble's units to the power 2 p.
    """
    members = len(ensemble)
    expected = _variogram(ensemble, power)
    square = (_variogram(truth, power) - expected.mean(0)) ** 2
    if fair and members > 1:
        square = square - expected.var(0, ddof=1) / members
    flat = square.reshape(*square.shape[:-2], -1)
    result: Array = flat @ weight.reshape(len(weight), -1).T
    return result


def _variogram(values: Array, power: float) -> Array:
    """(..., d, d) absolute differences of values (..., d) to a power."""
    difference = values[..., :, None] - values[..., None, :]
    np.abs(difference, out=difference)
    return np.sqrt(difference, out=difference) if power == 0.5 else difference**power


class Tiles:
    """Area-weighted means over tiles of a map, and the weights of their pairs.

    Args:
        grid: The grid of the maps.
        weight: (R, H, W) of the cells in each region.
        mask: (H, W) share of each cell that counts; by default all of it.
        shape: Rows and columns of tiles; at most those of the grid.
    """

    def __init__(
        self,
        grid: Grid,
        weight: Array,
        mask: Array | None = None,
        shape: tuple[int, int] = (6, 12),
    ) -> None:
        area = grid.area()[:, None] * (np.ones(grid.shape) if mask is None else mask)
        rows, columns = (
            _parts(n, min(size, n)) for size, n in zip(shape, grid.shape, strict=True)
        )
        self._is_global, columns = grid.is_global, columns[:, grid.eastward.argsort()]
        member = np.einsum("ih,jw->ijhw", rows, columns)
        self.shape = member.shape[:2]
        """Rows and columns of tiles."""
        member = member.reshape(-1, *grid.shape)
        share = member * area
        self._means = (share / np.maximum(share.sum((1, 2), keepdims=True), 1e-30)).reshape(
            len(member), -1
        )
        self.share = np.einsum("rhw,dhw->rd", weight, member)
        """(R, d) share of each tile in each region, of sum 1."""
        self.weight = _pairs(self.share, rows, columns, grid)
        """(R, d, d) products of shares over distances, of sum 1."""

    def __call__(self, maps: Array) -> Array:
        """(..., d) means of maps (..., H, W)."""
        flat = maps.reshape(*maps.shape[:-2], -1)
        return np.asarray(flat @ self._means.T.astype(maps.dtype))

    def neighbours(self, values: Array) -> list[Array]:
        """Values (..., d) of each tile itself, of the one to its east, and of that to its north.

        The northernmost tiles are their own northern neighbours, and of a part of the globe the
        easternmost ones their own eastern neighbours.
        """
        maps = values.reshape(*values.shape[:-1], *self.shape)
        north = np.concatenate([maps[..., 1:, :], maps[..., -1:, :]], -2)
        last = maps[..., :1] if self._is_global else maps[..., -1:]
        east = np.concatenate([maps[..., 1:], last], -1)
        return [values, east.reshape(values.shape), north.reshape(values.shape)]


def cross_variogram_score(ensemble: Array, truth: Array, tiles: Tiles) -> Array:
    """Fair variogram score of pairs of different variables, in one tile or in two neighbours.

    Args:
        ensemble: (M, C, d) standardised means over tiles.
        truth: (C, d).
        tiles: The tiles.

    Returns:
        (R,); NaN for one variable.
    """
    members, channels = ensemble.shape[:2]
    score = np.zeros(len(tiles.share))
    apart = ~np.eye(channels, dtype=bool)
    for near, true in zip(tiles.neighbours(ensemble), tiles.neighbours(truth), strict=True):
        expected = np.sqrt(np.abs(ensemble[:, :, None] - near[:, None]))  # (M, C, C, d)
        seen = np.sqrt(np.abs(truth[:, None] - true[None]))
        square = (seen - expected.mean(0)) ** 2
        if members > 1:
            square -= expected.var(0, ddof=1) / members
        score += square[apart].mean(0) @ tiles.share.T / 3 if channels > 1 else np.nan
    return score


def _parts(length: int, count: int) -> Array:
    """(count, length) ones where a place is in a part."""
    part = np.arange(length) * count // length
    return np.asarray(part == np.arange(count)[:, None], np.float64)


def _pairs(share: Array, rows: Array, columns: Array, grid: Grid) -> Array:
    """(R, d, d) weights of the pairs of tiles, from the share (R, d) of each."""
    area = rows * grid.area()
    latitude = np.deg2rad(area @ grid.latitude / area.sum(1))
    longitude = np.deg2rad(columns @ grid.longitude / columns.sum(1))
    lat, lon = (a.ravel() for a in np.meshgrid(latitude, longitude, indexing="ij"))
    point = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    distance = np.linalg.norm(point[:, None] - point, axis=-1)
    near = np.divide(1, distance, out=np.zeros_like(distance), where=distance > 1e-6)
    weight = share[:, :, None] * share[:, None, :] * near
    result: Array = weight / np.maximum(weight.sum((1, 2), keepdims=True), 1e-30)
    return result
