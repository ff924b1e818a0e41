"""What a config refuses before anything is read or trained."""

from pathlib import Path

import pytest

from graphs.cli.main import main
from graphs.config import GraphsConfig
from graphs.generators.expansion.config import ExpansionConfig
from graphs.generators.masked.config import MaskedConfig
from refine_core.config.schema import dump, from_dict, load
from refine_core.errors import InputError


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--model.dim 0", "dim: found 0, expected a whole number above 0"),
        ("--model.depth -2", "depth: found -2, expected a whole number above 0"),
        ("--model.heads 0", "heads: found 0, expected a whole number above 0"),
        ("--model.heads 3", "found dim 128 and heads 3, expected dim to be a multiple of heads"),
        ("--model.dropout 2", "dropout: found 2.0, expected a number from 0 to below 1"),
        ("--model.reach 0", "reach: found 0"),
        ("--model.property_dropout 1.5", "property_dropout: found 1.5"),
        ("--model.scale_subsampling 0.5", "expected a number of at least 1"),
        ("--model.training.epochs 0", "epochs: found 0"),
        ("--model.training.epochs -1", "epochs: found -1"),
        ("--data.subset 0", "subset: found 0, expected a whole number above 0, or null"),
        ("--data.count 0", "count: found 0"),
        ("--data.limit -1", "limit: found -1"),
        ("--seed -1", "seed: found -1, expected a whole number of at least 0"),
        ("--name ../../x", "name: found '../../x', expected the plain name of a folder"),
        ("--sampling.temperature -1", "temperature: found -1.0, expected a number of at least 0"),
        ("--sampling.guidance -1", "guidance: found -1.0"),
        ("--sampling.calls 8", "calls follow from the size of its graphs"),
        ("--model.matching dense", "Found --model.matching dense, expected one of random, rings"),
        ("--model.kind expansion --model.matching rings", "expected one of dense, random, tight"),
        ("--model.kind masked --sampling.guidance 1", "kind 'masked', which has no such"),
        ("--model.kind maskd", "model.kind: found 'maskd', expected .* Did you mean 'masked'"),
        ("--model.kind masked --model.edge_tokens none", "--model.edge_tokens"),
    ],
)
def test_numbers_out_of_range_and_settings_of_other_kinds(
    words: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=sentence):
        main(["train", *words.split()])
    assert not list(tmp_path.iterdir())


def test_a_run_needs_a_name() -> None:
    with pytest.raises(InputError, match="name: found '', expected"):
        GraphsConfig(name="")


def test_properties_are_for_contractions() -> None:
    with pytest.raises(InputError, match="takes no properties: leave"):
        from_dict(GraphsConfig, {"model": {"kind": "masked"}, "data": {"properties": ["logp"]}})


def test_a_file_has_the_settings_of_its_kind_only(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("model: {kind: expansion, counted: true, scale_thinning: 4}\n")
    config = load(GraphsConfig, path)
    assert config.model == ExpansionConfig(counted=True, scale_thinning=4)
    path.write_text(dump(config))
    assert load(GraphsConfig, path) == config
    path.write_text("model: {kind: masked, bounde: true}\n")
    with pytest.raises(InputError) as error:
        load(GraphsConfig, path)
    assert "Did you mean 'bounded'?" in str(error.value) and "edge_tokens" not in str(error.value)
    path.write_text("model: {kind: masekd}\n")
    with pytest.raises(InputError, match="model.kind: found 'masekd', expected 'contraction'"):
        load(GraphsConfig, path)


def test_without_a_kind_it_is_a_contraction() -> None:
    assert from_dict(GraphsConfig, {"model": {"dim": 32, "heads": 4}}).model.kind == "contraction"
    assert GraphsConfig(model=MaskedConfig()).model.kind == "masked"
