"""Numbers that nothing can be built or trained with are refused in one sentence."""

import pytest

from images.config import ImagesConfig
from images.experiments.config import AblationConfig
from refine_core.config.schema import from_dict
from refine_core.errors import InputError


def nested(path: str, value: object) -> dict[str, object]:
    """A mapping with one value at a dotted path."""
    first, _, rest = path.partition(".")
    return {first: nested(rest, value) if rest else value}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("tokenizer.sizes", [], "one value or more"),
        ("tokenizer.sizes", [4, 2], "sides that do not shrink"),
        ("tokenizer.sizes", [0, 2], "a whole number above 0"),
        ("tokenizer.parts", [], "one value or more"),
        ("tokenizer.parts", [0], "a whole number above 0"),
        ("tokenizer.codes", [], "one value or more"),
        ("tokenizer.codes", [1], "a whole number of at least 2"),
        ("tokenizer.groups", 0, "a whole number above 0"),
        ("tokenizer.levels", [5, 1], "a whole number of at least 2"),
        ("tokenizer.dim", -5, "a whole number above 0"),
        ("tokenizer.truncation", 1.5, "a number from 0 to 1"),
        ("tokenizer.width", 20, "a multiple of 8"),
        ("tokenizer.width", 0, "a multiple of 8"),
        ("tokenizer.blocks", -1, "a whole number of at least 0"),
        ("tokenizer.patch", 0, "a whole number above 0"),
        ("tokenizer.training.batch", 0, "a whole number above 0"),
        ("tokenizer.training.ema", 2, "a number from 0 to below 1"),
        ("generator.dim", 130, "expected a multiple of the heads"),
        ("generator.depth", 0, "a whole number above 0"),
        ("generator.weights", [], "one value or more"),
        ("generator.weights", [0, 0], "a weight above 0"),
        ("generator.corruption", 7, "a number from 0 to 1"),
        ("generator.dropout", 1, "a number from 0 to below 1"),
        ("generator.class_dropout", -0.1, "a number from 0 to 1"),
        ("generator.training.epochs", 0, "a whole number above 0"),
        ("generator.training.learning_rate", -1, "a number of at least 0"),
        ("generator.training.warmup", 3, "a number from 0 to 1"),
        ("sampling.temperature", [-1], "a number of at least 0"),
        ("sampling.top_k", 0, "a whole number above 0"),
        ("sampling.top_p", [0], "a number above 0, up to 1"),
        ("sampling.guidance", [], "one value or more"),
        ("sampling.guidance", [-2], "a number above -1"),
    ],
)
def test_ranges(path: str, value: object, expected: str) -> None:
    with pytest.raises(InputError, match=expected) as error:
        from_dict(ImagesConfig, nested(path, value))
    said = str(error.value)
    assert path.rpartition(".")[0] in said and "\n" not in said


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("setup.codes", 500, "expected at most 256, a word for each"),
        ("setup.bottleneck", 4, "expected at most as many as dimensions"),
        ("setup.sigma", -1, "a number of at least 0"),
        ("setup.target", 0, "a number above 0"),
        ("setup.bits", 13, "a whole number from 1 to 12"),
        ("seeds", [], "one value or more"),
        ("workers", 0, "a whole number above 0"),
        ("sweeps.groups", [3], "expected numbers that divide the bottleneck of 64"),
        ("sweeps.images", [0], "a whole number above 0"),
        ("sweeps.width", [], "one value or more"),
    ],
)
def test_ranges_of_an_ablation(path: str, value: object, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        from_dict(AblationConfig, nested(path, value))
