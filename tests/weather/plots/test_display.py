"""Units and colours in which channels are shown."""

import numpy as np
import pytest

from weather.fields.channel import Channel
from weather.plots.display import Display
from weather.plots.map.colour_scale import difference_scale, spread_scale


def test_values_are_shown_as_forecasters_read_them() -> None:
    height = Display.of(Channel("geopotential", 500), "m**2 s**-2")
    warmth = Display.of(Channel("2m_temperature"), "K")
    assert (height.unit, warmth.unit, warmth.unit_difference) == ("dam", "°C", "K")
    assert warmth(np.array([273.15], np.float32))[0] == pytest.approx(0.0, abs=1e-4)
    assert warmth.heading == "2 m temperature"
    strange = Display.of(Channel("geopotential", 500), "furlong**2")
    assert strange(np.array([5.0]))[0] == 5.0
    assert "furlong" in strange.unit
    wet = Display.of(Channel("specific_humidity", 850), "kg kg**-1")
    assert wet(np.array([0.01]))[0] == pytest.approx(10.0)


def test_colours_of_temperature_and_error_are_even_about_zero() -> None:
    values = np.linspace(-10.0, 30.0, 500)
    scale = Display.of(Channel("2m_temperature"), "K").scale(values)
    assert (scale.norm.vmin, scale.norm.vmax) == pytest.approx((-30, 30), rel=0.02)
    errors = difference_scale(values, scale)
    np.testing.assert_allclose(errors.levels, -errors.levels[::-1])
    assert 0 not in errors.levels
    rounding = spread_scale(np.full(10, 1e-9), scale)
    assert float(rounding.norm(1e-9)) < 0.01  # what is only rounding stays pale
    tones = scale.colours(np.linspace(0.0, 1.0, 9))[:, :3]
    assert len(np.unique(tones.round(2), axis=0)) == 9


def test_noisy_fields_have_no_contour_of_zero_and_amounts_high_ones() -> None:
    spin = Display.of(Channel("vorticity", 850), "s**-1")
    assert 0 not in spin.scale(np.linspace(-20.0, 20.0, 99)).levels
    assert spin.typical_shares == (0.03, 0.97)
    speed = Display.of(Channel("wind_speed", 850), "m s**-1")
    assert speed.is_amount
    assert min(speed.typical_shares) > 0.5
