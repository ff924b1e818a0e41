"""The settings of arms."""

import pytest

from images.study.model import Setting
from refine_core.errors import InputError


@pytest.mark.parametrize(
    "values", [{"calls": 0}, {"calls": 1, "guidance": -1.0}, {"calls": 1, "temperature": -0.1}]
)
def test_a_setting_out_of_range_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"{list(values)[-1]} is {list(values.values())[-1]}"):
        Setting(**values)  # type: ignore[arg-type]
