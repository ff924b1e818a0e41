"""Times are of UTC and unambiguous; the clock says where they are in the day and in the year."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

from refine_core.errors import InputError
from tests.weather.synthetic import times
from weather.fields.times import clock, parse_time


@pytest.mark.parametrize(
    "time",
    [
        "2003-11-15T06",
        "2003-11-15T06:00Z",
        "20031115T06",
        datetime(2003, 11, 15, 6),
        datetime(2003, 11, 15, 6, tzinfo=UTC),
        datetime(2003, 11, 15, 7, tzinfo=timezone(timedelta(hours=1))),
        np.datetime64("2003-11-15T06", "s"),
    ],
    ids=str,
)
def test_one_time_in_all_its_forms(time: Any) -> None:
    found = parse_time(time)
    assert found == np.datetime64("2003-11-15T06:00", "ns")
    assert found.dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    "time",
    [
        *("2003-11-15T06+01:00", "tomorrow", "", "NaT", 5, None, np.timedelta64(3, "h")),
        *("200311", "0900-01-01", np.datetime64("20191115")),  # years beyond what is held
    ],
    ids=str,
)
def test_what_is_no_time_is_refused(time: Any) -> None:
    with pytest.raises(InputError, match="expected one of UTC such as 2003-11-01T00"):
        parse_time(time)


def test_a_date_is_its_first_hour() -> None:
    for day in ("20191115", date(2019, 11, 15)):
        assert parse_time(day) == np.datetime64("2019-11-15T00", "ns")


def test_clock() -> None:
    when = np.array(["2000-01-01T00", "2001-07-02T06", "2015-03-04T18"], "datetime64[ns]")
    day, year = clock(when)[:, :2], clock(when)[:, 2:]
    np.testing.assert_allclose(day, [[0, 1], [1, 0], [-1, 0]], atol=1e-6)
    assert year[0, 1] == 1
    assert year[1, 1] < -0.999  # midsummer is half a year away
    np.testing.assert_allclose(np.hypot(*year.T), 1, 1e-6)
    series = clock(times(2 * 365, 24))
    np.testing.assert_allclose(series[0, 2:], series[365, 2:], atol=0.01)
