"""Methods by name: found, checked as a config is, and refused in sentences."""

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from torch import Tensor

from images.config import GeneratorConfig, ImagesConfig, SamplingConfig
from refine_core.config.ranges import PositiveFloat
from refine_core.config.schema import dump, from_dict, to_dict
from refine_core.errors import InputError
from refine_core.methods import registry
from refine_core.methods.base import Method
from refine_core.methods.registry import as_methods, build_methods, known_methods, method
from refine_core.noise import Noise
from tests.refine_core.config.parsing import parse
from tests.refine_core.tiny import refiner, with_methods


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two methods of another package, found by an entry point."""
    known_methods()  # before the copy, for modules register their methods once
    monkeypatch.setattr(registry, "_METHODS", dict(registry._METHODS))

    def load(entry: EntryPoint) -> None:
        @method("toy_training")
        class Training(Method):  # type: ignore[type-arg]
            def __init__(self, strength: PositiveFloat = 1.0, sizes: tuple[int, ...] = ()) -> None:
                super().__init__()
                self.strength, self.sizes = strength, sizes

        @method("toy_sampling")
        class Sampling(Method):  # type: ignore[type-arg]
            in_sampling = True

    entry = EntryPoint("toys", "toys", registry.GROUP)
    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    known_methods.cache_clear()
    yield
    known_methods.cache_clear()


def test_every_way_to_write_them_is_the_same() -> None:
    whole = {"toy_training": {"strength": 2.0, "sizes": [1]}, "toy_sampling": {}}
    ways: list[object] = [
        {"toy_training": {"strength": 2, "sizes": [1]}, "toy_sampling": None},
        [{"toy_training": {"strength": 2, "sizes": [1]}}, "toy_sampling"],
    ]
    assert [as_methods(way) for way in ways] == [whole, whole]
    assert list(as_methods(["toy_sampling", "toy_training"])) == ["toy_sampling", "toy_training"]
    assert as_methods("toy_training") == {"toy_training": {"strength": 1.0, "sizes": []}}
    assert as_methods(()) == {}


def test_a_config_holds_all_fields_and_reads_back() -> None:
    config = GeneratorConfig(methods=["toy_training"])  # type: ignore[arg-type]
    assert config.methods == {"toy_training": {"strength": 1.0, "sizes": []}}
    assert from_dict(GeneratorConfig, json.loads(json.dumps(to_dict(config)))) == config
    assert "toy_training:\n    strength: 1.0" in dump(config)


def made(methods: dict[str, dict[str, object]]) -> list[Method[Tensor, Tensor, Tensor, Tensor]]:
    return build_methods(methods)


def test_built_with_the_types_of_their_fields() -> None:
    first, second = made(as_methods([{"toy_training": {"sizes": [1, 2]}}, "toy_sampling"]))
    assert (first.name, second.name) == ("toy_training", "toy_sampling")
    assert first.sizes == (1, 2) and first.strength == 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            ["toy_trainign"],
            r"found the method 'toy_trainign', expected one of .* Did you mean 'toy",
        ),
        ([{"toy_training": {"strenght": 1}}], "toy_training: strenght: unknown, .* 'strength'"),
        ([{"toy_training": {"strength": 0}}], "strength: found 0, expected a number above 0"),
        ([{"toy_training": 3}], "toy_training: found 3, expected a mapping of fields"),
        (["toy_sampling", "toy_sampling"], "'toy_sampling' twice"),
        (3, "found 3, expected a list of methods"),
    ],
)
def test_mistakes_are_sentences(given: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^GeneratorConfig: methods: .*{message}"):
        GeneratorConfig(methods=given)  # type: ignore[arg-type]


def test_training_is_not_changed_in_sampling() -> None:
    with pytest.raises(InputError, match="'toy_training' acts in training: switch it on"):
        SamplingConfig(methods=["toy_training"])  # type: ignore[arg-type]
    assert SamplingConfig(methods=["toy_sampling"]).methods == {"toy_sampling": {}}  # type: ignore[arg-type]


def test_a_name_means_one_method() -> None:
    class Other(Method):  # type: ignore[type-arg]
        pass

    Other.__module__ = "elsewhere"
    known_methods()
    with pytest.raises(InputError, match="both register a method 'toy_sampling': rename one"):
        method("toy_sampling")(Other)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["toy_sampling"], {"toy_sampling": {}}),
        (["toy_training: {strength: 2}"], {"toy_training": {"strength": 2.0, "sizes": []}}),
        (["{toy_sampling: , toy_training: {strength: 1}}"], {"toy_sampling", "toy_training"}),
        (["toy_sampling", "toy_training"], {"toy_sampling", "toy_training"}),
        ([], {}),
    ],
)
def test_an_option_switches_them_on(argv: list[str], expected: object, tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_text("generator: {methods: [min_snr]}")
    found = parse(ImagesConfig, ["--generator.methods", *argv], path).generator.methods
    assert (found if isinstance(expected, dict) else set(found)) == expected
    assert list(parse(ImagesConfig, [], path).generator.methods) == ["min_snr"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "toy_trainign",
            r"generator.methods: found the method 'toy_trainign', .*'toy_training'\? `",
        ),
        ("{toy_training", "found '{toy_training', expected a name, or fields as in"),
        ("toy_training: {strength: -1}", "toy_training: strength: found -1, expected a number ab"),
    ],
)
def test_mistakes_in_an_option_are_sentences(word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(ImagesConfig, ["--generator.methods", word])


def test_help_shows_what_is_on(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "images.yaml"
    path.write_text("generator: {methods: [min_snr]}")
    with pytest.raises(SystemExit):
        parse(ImagesConfig, ["--help"], path)
    assert "gamma" in capsys.readouterr().out


def test_the_method_of_the_guide_is_one() -> None:
    """The example of the guide runs as it stands."""
    text = (Path(__file__).parents[3] / "docs/guide/methods.md").read_text(encoding="utf-8")
    source = text.split("```python\nfrom refine_core.config import PositiveFloat")[1].split("```")[
        0
    ]
    exec("from refine_core.config import PositiveFloat" + source, {"__name__": "elsewhere"})
    (own,) = made(as_methods({"late_scales": {"growth": 2}}))
    model = with_methods(refiner(), own)
    x = torch.randn(4, 4, 5, 5)
    nats = -model.code_log_prob(x).sum(0)
    weights, tokens = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1, 4, 25])
    expected = (weights * nats).sum() / (4 * weights * tokens).sum()
    assert torch.allclose(model((x,), Noise.range(0, 4))["loss"], expected, atol=1e-5)
