"""The bars of the house that hold; `python -m tests.house` prints all."""

import statistics

import pytest

from tests import house


@pytest.mark.parametrize("package", ["refine_core", "weather", "images"])
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    assert house.circle(package) == []


@pytest.mark.parametrize("package", ["graphs", "weather", "images"])
def test_no_folder_is_crowded(package: str) -> None:
    assert house.crowded(package) == {}


@pytest.mark.parametrize("package", house.PACKAGES)
def test_functions_are_short(package: str) -> None:
    assert statistics.quantiles(house.bodies(package), n=10)[-1] <= house.LINES


def test_public_signatures_of_the_core_are_typed() -> None:
    assert house.untyped("refine_core") == []


@pytest.mark.parametrize("package", house.PACKAGES)
def test_public_names_exist_and_are_no_names_of_modules(package: str) -> None:
    assert house.misnamed(package) == []
