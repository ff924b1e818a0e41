"""Training: what cannot be built or trained is refused before the mean is trained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from refine_core.errors import InputError
from refine_core.quantizers.vq import VQ
from tests.weather import tiny
from weather.config import WeatherConfig
from weather.data.preparation import prepare
from weather.data.windows import Windows
from weather.forecaster.refinement import RefineHead
from weather.training.errors import error_scale, scaled_residuals
from weather.training.run import check_config, train
from weather.training.stages import validation_losses


def changed(folder: Path, kind: str = "refine", **changes: Any) -> WeatherConfig:
    """The tiny model's config with changes of dotted fields, such as `head.levels`."""
    made: Any = tiny.config(folder, kind)

    def change(config: Any, path: list[str], value: Any) -> Any:
        name, *rest = path
        new = change(getattr(config, name), rest, value) if rest else value
        return replace(config, **{name: new})

    for path, value in changes.items():
        made = change(made, path.split("__"), value)
    assert isinstance(made, WeatherConfig)
    return made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"head__tokenizer__sizes": ((1, 2), (2, 2))}, "sizes: found 2 x 2 as the finest"),
        ({"head__tokenizer__sizes": ((1, 1), (4, 8))}, "an even number of longitudes"),
        ({"mean__grid": (4, 7)}, "grid: found 4 x 7, expected an even number of longitudes"),
        ({"head__tokenizer__parts": (1, 2)}, "`parts` has 2 values for 3 scales"),
        ({"head__temperature": (1.0, 0.9)}, "temperature has 2 values for 3 scales"),
        ({"head__tokenizer__groups": 3}, "groups"),
        ({"head__network__heads": 3}, "heads"),
        ({"head__tokenizer__training__batch": 500}, "head.tokenizer.training.batch: found 500"),
        ({"head__network__training__batch": 500}, "head.network.training.batch: found 500"),
        ({"mean__training__batch": 500}, "mean.training.batch: found 500, expected at most 76"),
        ({"mean__grid": (16, 32)}, "lower `grid`"),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_refused_before_training(
    folder: Path, changes: dict[str, Any], said: str
) -> None:
    wrong = changed(folder, name="wrong", **changes)
    if "mean__grid" in changes:
        wrong = replace(wrong, head=replace(wrong.head, kind="deterministic"))
    with pytest.raises(InputError, match=said):
        train(wrong, folder, quiet=True)
    assert not (folder / "wrong").exists()


def test_what_can_be_built_is_not_refused(folder: Path) -> None:
    data = prepare(tiny.config(folder).data, quiet=True)
    for kind in ("refine", "deterministic", "bank", "gaussian", "diffusion", "crps"):
        check_config(tiny.config(folder, kind), data)
    check_config(changed(folder, head__tokenizer__quantizer="bitwise"), data)
    check_config(changed(folder, head__temperature=(1.0, 0.9, 0.8)), data)


def test_a_mean_of_other_data_is_refused(folder: Path) -> None:
    tiny.trained(folder, "deterministic")
    other = replace(
        tiny.config(folder, "gaussian", step_hours=24),
        mean_from=str(folder / "tiny_deterministic"),
    )
    with pytest.raises(InputError, match=r"was trained with other data\.step_hours: give"):
        train(replace(other, name="wrong"), folder, quiet=True)
    assert not (folder / "wrong").exists()


def test_a_mean_of_other_years_normalises_as_it_was_trained(folder: Path) -> None:
    source = tiny.trained(folder, "deterministic")
    (first, last), mean_from = source.data.train, str(folder / "tiny_deterministic")
    made = tiny.config(folder, "gaussian", train=(first, str(np.datetime64(last) - 5)))
    made = replace(made, name="fewer", mean_from=mean_from)
    model = train(made, folder, quiet=True)
    own = prepare(made.data, quiet=True).statistics
    assert not np.array_equal(own.mean.astype(np.float32), source.mean.numpy())
    assert torch.equal(model.mean, source.mean) and torch.equal(model.std, source.std)
    assert model.data.train == made.data.train


def test_codebooks_are_learnt(folder: Path) -> None:
    """Every one of every scale: an encoder and a decoder cannot make up for codes at random."""
    head = tiny.trained(folder, "refine").forecaster.head
    assert isinstance(head, RefineHead)
    books = [part for part in head.tokenizer.modules() if isinstance(part, VQ)]
    assert books
    assert all(int(book.updates) > 1 for book in books)


def test_the_scale_of_errors_is_their_zonal_deviation(folder: Path) -> None:
    model = tiny.trained(folder, "deterministic")
    windows = Windows(prepare(model.data, quiet=True), "train")
    mean = model.forecaster.mean
    ((batch, noise),) = windows.batches(torch.arange(len(windows)), torch.device("cpu"), size=999)
    with torch.no_grad():
        expected = mean.errors(batch, noise).square().mean((0, 3)).sqrt()
    torch.testing.assert_close(error_scale(mean, windows)[..., 0], expected)


def test_windows_that_do_not_fit_at_once_are_computed_in_pieces(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.trained(folder, "crps")  # whose loss is a mean over windows
    data = prepare(model.data, quiet=True)
    windows, forecaster = Windows(data, "train"), model.forecaster
    validation = Windows(data, "validation")
    whole = validation_losses(validation, forecaster), error_scale(forecaster.mean, windows)
    one = 4 * 3 * len(data.channels) * 8 * 16
    for module in ("weather.data.windows", "weather.training.stages"):
        monkeypatch.setattr(f"{module}.AT_ONCE", 5 * one)
    counts: list[int] = []
    seen = forecaster.head.register_forward_pre_hook(lambda _, given: counts.append(len(given[0])))
    pieces = validation_losses(validation, forecaster), error_scale(forecaster.mean, windows)
    seen.remove()
    assert max(counts) == 5
    assert pieces[0] == pytest.approx(whole[0], rel=1e-5)
    torch.testing.assert_close(pieces[1], whole[1])


def test_fewer_residuals_are_held_of_large_maps(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.trained(folder, "deterministic")
    windows = Windows(prepare(model.data, quiet=True), "train")
    assert len(scaled_residuals(model.forecaster, windows)) == len(windows)
    one = 4 * 3 * len(model.channels) * 8 * 16
    monkeypatch.setattr("weather.training.errors.ERROR_BYTES", 7 * one + 1)
    few = scaled_residuals(model.forecaster, windows)
    assert len(few) == 7
    assert torch.isfinite(few).all()
