"""Methods by name: found, checked as a config is, and refused in sentences."""

import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint

import pytest

from images.config import GeneratorConfig, SamplingConfig
from refine_core.config.ranges import PositiveFloat
from refine_core.config.schema import dump, from_dict, to_dict
from refine_core.errors import InputError
from refine_core.methods import registry
from refine_core.methods.base import Method
from refine_core.methods.registry import as_methods, build_methods, known_methods, method


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two methods of another package, found by an entry point."""
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


def test_built_with_the_types_of_their_fields() -> None:
    first, second = build_methods(
        as_methods([{"toy_training": {"sizes": [1, 2]}}, "toy_sampling"])
    )
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
