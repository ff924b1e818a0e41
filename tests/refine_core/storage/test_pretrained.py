"""Trained models are found by name, folder or file, and rebuilt from what was saved."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from refine_core.config.schema import config
from refine_core.errors import InputError
from refine_core.storage import checkpoint
from refine_core.storage.model_card import ModelCard
from refine_core.storage.pretrained import Pretrained


@config
class Layer:
    width: int = 3


@dataclass(frozen=True)
class Spec:
    config: Layer
    limits: tuple[int, ...] = ()


@pytest.fixture
def models(tmp_path: Path) -> Pretrained[Spec]:
    (tmp_path / "weights").mkdir()
    return Pretrained("test.model", Spec, tmp_path / "weights", hidden=("other",))


def layer(spec: Spec) -> nn.Linear:
    return nn.Linear(spec.config.width, 2)


def test_a_model_is_found_by_name_folder_and_file(
    models: Pretrained[Spec], tmp_path: Path
) -> None:
    spec = Spec(Layer(width=5), (1, 2))
    source = layer(spec)
    for path in (models.shipped / "small.safetensors", tmp_path / "run" / "model.safetensors"):
        models.save(path, source, spec, half=False)
    for name in ("small", tmp_path / "run", tmp_path / "run" / "model.safetensors"):
        saved = models.load(name)
        assert saved.spec == spec
        restored = saved.restore(layer(saved.spec))
        assert torch.equal(restored.weight, source.weight) and not restored.training


def test_what_is_no_model_is_refused(models: Pretrained[Spec], tmp_path: Path) -> None:
    for name in ("small", "other"):
        models.save(models.shipped / f"{name}.safetensors", layer(Spec(Layer())), Spec(Layer()))
    assert list(models.names()) == ["small"]
    with pytest.raises(InputError, match="no model 'smal': give 'small', a run's .*'small'?"):
        models.load("smal")
    with pytest.raises(InputError, match="no model 'other'"):
        models.load("other")
    path = tmp_path / "wrong.safetensors"
    checkpoint.save(path, {}, {"kind": "test.model", "config": {"width": 3, "depth": 2}})
    with pytest.raises(InputError, match=f"{path}: config.depth: unknown, expected one of width"):
        models.load(path)
    with pytest.raises(InputError, match="does not fit the Linear"):
        models.load("small").restore(nn.Linear(4, 2))


def test_the_remedy_for_damage_is_where_the_file_comes_from(
    models: Pretrained[Spec], tmp_path: Path
) -> None:
    for path, remedy in {
        models.shipped / "small.safetensors": "install refine again",
        tmp_path / "runs/mine/model.safetensors": "start the training of .*mine again",
        tmp_path / "runs/bank/model.safetensors": "train it again",
        tmp_path / "copied.safetensors": "fetch another copy",
    }.items():
        models.save(path, layer(Spec(Layer())), Spec(Layer()))
        path.write_bytes(path.read_bytes()[:-9])
        (tmp_path / "runs/mine/head").mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs/mine/head/run.json").touch()
        with pytest.raises(InputError, match=f"is cut short or damaged: {remedy}"):
            models.load(path)


CARD = ModelCard("Small", "A layer.", "toys", "made = 1 + 1", {"width": 3}, ("layers",))


def test_a_folder_holds_all_that_a_model_is_rebuilt_from(
    models: Pretrained[Spec], tmp_path: Path
) -> None:
    spec = Spec(Layer(width=5), (1, 2))
    source, folder = layer(spec), tmp_path / "shared"
    models.save_folder(folder, source, spec, CARD, half=False)
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "README.md"}
    saved = models.load(folder)
    assert saved.spec == spec and torch.equal(saved.tensors["weight"], source.weight)
    card = (folder / "README.md").read_text()
    for part in ("- toys\n- layers", "# Small", "made = 1 + 1", "| width | 3 |", "width: 5"):
        assert part in card
    models.save(tmp_path / "one.safetensors", source, spec, half=False)
    assert models.load(tmp_path / "one.safetensors").digest == saved.digest


def test_config_json_says_what_is_built(models: Pretrained[Spec], tmp_path: Path) -> None:
    spec, path = Spec(Layer(), (1, 2)), tmp_path / "config.json"
    models.save_folder(tmp_path, layer(spec), spec, CARD)
    before = models.load(tmp_path).digest
    path.write_text(path.read_text().replace("2", "7"))
    changed = models.load(tmp_path)
    assert changed.spec.limits == (1, 7) and changed.digest != before
    for text in ("{", "[]", '{"model_type": "another.model"}'):
        path.write_text(text)
        with pytest.raises(InputError, match="not the config of a model of kind 'test.model'"):
            models.load(tmp_path)
    path.write_text('{"model_type": "test.model", "config": {"depth": 2}}')
    with pytest.raises(InputError, match="config.depth: unknown, expected one of width"):
        models.load(tmp_path)
    models.save_folder(tmp_path, layer(spec), spec, CARD)  # replaces all three
    assert models.load(tmp_path).spec == spec
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file, expected a folder"):
        models.save_folder(tmp_path / "file", layer(spec), spec, CARD)
