"""Energy score and variogram score, which depend on how the points of a map vary together.

Scores of single points are the same for an ensemble of weather maps and for one whose points
were shuffled between members. The energy score is the CRPS of vectors,

    ES = 1/M sum_i ||x_i - y||  -  1/(2 M (M - 1)) sum_ij ||x_i - x_j||

(Gneiting & Raftery 2007, doi:10.1198/016214506000001437), with the root of the area-weighted mean
square as norm. The variogram score compares differences between points a and b,

    VS = sum_ab w_ab ( |y_a - y_b|^p - 1/M sum_i |x_ia - x_ib|^p )^2

(Scheuerer & Hamill 2015, doi:10.1175/MWR-D-14-00269.1). It is taken on means over blocks of the
map, as it costs the square of the points; its fair form subtracts the variance of the mean over
the members, so that its mean does not depend on M either.
"""

import numpy as np

from weather.fields.arrays import Array
from weather.fields.grid import Grid


def energy_score(ensemble: Array, truth: Array, weight: Array, *, fair: bool = True) -> Array:
    """Energy score.

    Squared distances add up over the rows of a map, so that the products of members with each
    other are computed once for all regions.

    Args:
        ensemble: (M, ..., H, W).
        truth: (..., H, W).
        weight: (R, H) of the rows in each region, of sum 1.
        fair: Whether to remove the bias of a finite ensemble.

    Returns:
        (..., R), in the ensemble's units; of one member, the norm of its error.
    """
    members = len(ensemble)
    error = ensemble - truth
    skill: Array = np.sqrt((error**2).mean(-1) @ weight.T).mean(0)
    if members == 1:
        return skill
    deviation = np.moveaxis(error - error.mean(0), 0, -2)  # so that distances do not cancel
    products = deviation @ deviation.swapaxes(-1, -2) / error.shape[-1]  # (..., H, M, M)
    flat = products.reshape(*products.shape[:-2], -1)
    gram = (weight.astype(flat.dtype) @ flat).reshape(*flat.shape[:-2], -1, members, members)
    square = gram.diagonal(axis1=-2, axis2=-1)
    distance = np.sqrt(np.maximum(square[..., :, None] + square[..., None, :] - 2 * gram, 0))
    pairs = members * (members - 1) if fair else members**2
    result: Array = skill - distance.sum((-1, -2)) / (2 * pairs)
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


class Blocks:
    """Area-weighted means over blocks of a map, and the weights of their pairs.

    Args:
        grid: The grid of the maps.
        weight: (R, H) of the rows in each region.
        shape: Rows and columns of blocks; at most those of the grid.
    """

    def __init__(self, grid: Grid, weight: Array, shape: tuple[int, int] = (6, 12)) -> None:
        rows, columns = (min(size, n) for size, n in zip(shape, grid.shape, strict=True))
        in_row = np.arange(grid.shape[0]) * rows // grid.shape[0] == np.arange(rows)[:, None]
        in_column = np.arange(grid.shape[1]) * columns // grid.shape[1]
        in_column = in_column == np.arange(columns)[:, None]
        area = in_row * grid.area()
        self._rows = area / area.sum(1, keepdims=True)
        self._columns = in_column / in_column.sum(1, keepdims=True)
        latitude = np.deg2rad(self._rows @ grid.latitude)
        longitude = np.deg2rad(self._columns @ grid.longitude)
        self.weight = _pairs(weight @ in_row.T, latitude, longitude)
        """(R, rows x columns, rows x columns) products of areas over distances, of sum 1."""

    def __call__(self, maps: Array) -> Array:
        """(..., rows x columns) means of maps (..., H, W)."""
        kind = maps.dtype
        means: Array = self._rows.astype(kind) @ maps @ self._columns.T.astype(kind)
        return means.reshape(*means.shape[:-2], -1)


def _pairs(share: Array, latitude: Array, longitude: Array) -> Array:
    """(R, d, d) weights of the pairs of blocks, from the share (R, rows) of each row's blocks."""
    lat, lon = (a.ravel() for a in np.meshgrid(latitude, longitude, indexing="ij"))
    point = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)
    distance = np.linalg.norm(point[:, None] - point, axis=-1)
    near = np.divide(1, distance, out=np.zeros_like(distance), where=distance > 1e-6)
    area = np.repeat(share, len(longitude), axis=1)
    weight = area[:, :, None] * area[:, None, :] * near
    result: Array = weight / np.maximum(weight.sum((1, 2), keepdims=True), 1e-30)
    return result
