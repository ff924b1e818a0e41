"""Thresholds of events."""

import pytest

from refine_core.errors import InputError
from weather.fields.channel import Channel
from weather.fields.thresholds import THRESHOLDS, chosen_thresholds, parse_thresholds

RAIN = Channel("total_precipitation_6hr")
CHANNELS = [Channel("temperature", 500), Channel("temperature", 850), RAIN]


def test_precipitation_has_thresholds_that_others_replace() -> None:
    assert chosen_thresholds(CHANNELS, {}) == {RAIN.name: list(THRESHOLDS[RAIN.name])}
    assert chosen_thresholds(CHANNELS, {RAIN.name: [0.02, 0.01]}) == {RAIN.name: [0.01, 0.02]}


def test_a_channel_goes_before_its_variable() -> None:
    found = chosen_thresholds(CHANNELS[:2], {"temperature": [250], "temperature_850": [273.15]})
    assert found == {"temperature_500": [250], "temperature_850": [273.15]}


def test_one_threshold_and_short_names_will_do() -> None:
    found = chosen_thresholds(CHANNELS, {"t850": 273.15, "tp6h": [0.01]})
    assert found == {"temperature_850": [273.15], RAIN.name: [0.01]}
    with pytest.raises(InputError, match="thresholds of temperature_850 twice"):
        chosen_thresholds(CHANNELS, {"t850": 273.15, "temperature_850": 260.0})


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["2m_temperature"], "expected variable=value,value in SI units"),
        (["=3"], "expected variable=value"),
        (["t=3,warm"], "expected variable=value"),
        (["t=3", "t=4"], "thresholds of t twice"),
    ],
)
def test_texts_that_are_no_thresholds_get_a_sentence(texts: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_thresholds(texts)


def test_thresholds_of_what_is_not_verified_get_a_sentence() -> None:
    with pytest.raises(InputError, match="Did you mean 'temperature'"):
        chosen_thresholds(CHANNELS, {"temprature": [1.0]})
    with pytest.raises(InputError, match="Found the thresholds nan of temperature"):
        chosen_thresholds(CHANNELS, {"temperature": [float("nan")]})
