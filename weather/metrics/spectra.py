"""Power by zonal wavenumber, which shows whether members have as much small-scale structure."""

import numpy as np
from scipy.fft import rfft

from weather.fields.arrays import Array


def zonal_power(maps: Array) -> Array:
    """Power spectrum along each circle of latitude.

    Exact, as the longitudes are equidistant: the sum over the wavenumbers is the mean square
    (Parseval).

    >>> wave = np.cos(3 * np.arange(8) * 2 * np.pi / 8)
    >>> zonal_power(wave).round(6).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.0]

    Args:
        maps: (..., W), once around the globe.

    Returns:
        (..., W // 2 + 1), in the maps' units squared, from wavenumber 0.
    """
    width = maps.shape[-1]
    power = np.abs(rfft(maps, axis=-1) / width) ** 2
    power[..., 1 : (width + 1) // 2] *= 2  # a wavenumber and its negative
    return np.asarray(power)
