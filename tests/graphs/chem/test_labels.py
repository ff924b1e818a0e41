"""Numbers and names of atoms."""

import pytest

from graphs.chem.labels import atom_name, atom_number


@pytest.mark.parametrize("element", [1, 6, 35, 118])
@pytest.mark.parametrize("charge", [-3, -1, 0, 1, 4])
def test_atom_numbers_are_distinct_and_have_names(element: int, charge: int) -> None:
    number = atom_number(element, charge, False)
    assert number != atom_number(element, charge, True) != atom_number(element, -charge, False)
    assert atom_name(number).endswith(f"{charge:+d}" if charge else "")
    assert number >= atom_number(element, 0, False)
