"""Numbers out of range are refused with a sentence that says what is admitted."""

import pytest

from refine_core.app.cli import main
from refine_core.config.ranges import NonNegativeInt, RunName
from refine_core.config.schema import config
from refine_core.errors import InputError
from refine_core.training.config import Optimisation


@config
class Named:
    name: RunName = "first"
    places: tuple[NonNegativeInt, ...] = (0,)


@pytest.mark.parametrize(
    ("field", "value", "admitted"),
    [
        ("epochs", 0, "a whole number above 0"),
        ("batch", 0, "a whole number above 0"),
        ("batch", -5, "a whole number above 0"),
        ("learning_rate", -1, "a number of at least 0"),
        ("final_rate", 1.5, "a number from 0 to 1"),
        ("warmup", 3, "a number from 0 to 1"),
        ("weight_decay", -0.1, "a number of at least 0"),
        ("beta2", 1, "a number from 0 to below 1"),
        ("clip", 0, "a number above 0, or null"),
        ("ema", 2, "a number from 0 to below 1, or null"),
        ("save_minutes", -1, "a number of at least 0"),
    ],
)
def test_training_that_cannot_be_is_refused(field: str, value: float, admitted: str) -> None:
    with pytest.raises(
        InputError, match=f"^Optimisation: {field}: found .*, expected {admitted}$"
    ):
        Optimisation(**{field: value})  # type: ignore[arg-type]


def test_ends_of_ranges_are_admitted() -> None:
    Optimisation(epochs=1, batch=1, learning_rate=0, final_rate=1, warmup=0, weight_decay=0)
    Optimisation(warmup=1, final_rate=0, beta2=0, clip=None, ema=0, save_minutes=0)
    assert Named(places=()).places == ()


def test_members_of_a_list_are_named_by_their_place() -> None:
    with pytest.raises(InputError, match=r"places.1: found -2, expected a whole number of at"):
        Named(places=(1, -2))


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "../../x", "/tmp", "a\\b", "a\nb"])
def test_a_run_is_named_as_one_folder(name: str) -> None:
    with pytest.raises(InputError, match="name: found .*, expected the plain name of a folder"):
        Named(name=name)


@pytest.mark.parametrize("domain", ["images", "graphs", "weather"])
def test_no_domain_writes_outside_of_its_runs(
    domain: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([domain, "train", "--name", "../../x"])
    assert "found '../../x', expected the plain name of a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mnist", "first try", "v1.2", "Größe-3", "..."])
def test_other_names_are_admitted(name: str) -> None:
    assert Named(name=name).name == name
