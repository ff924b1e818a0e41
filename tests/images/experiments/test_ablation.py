"""Laws of the ablation: runs, plan and report."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from images.data.load import Images, LabelledImages
from images.experiments import AblationConfig, ablate, parallel, plots
from images.experiments.config import Setup, Sweeps
from images.experiments.denoisers import FlatImages
from images.experiments.design import TABLED, Design, experiment
from images.experiments.experiment import Experiment, Result, run_experiment
from images.experiments.metrics import error_floors, high_band, psnr
from images.experiments.paper import TABLES
from refine_core.config.schema import load
from refine_core.errors import InputError
from tests.images.experiments.blobs import blobs

SETUP = Setup(
    epochs=3,
    batch=16,
    width=12,
    bottleneck=8,
    codes=4,
    bits=3,
    autoencoder_epochs=2,
    target=0.2,
)
SWEEPS = Sweeps(
    seeds=(0,),
    updates=8,
    autoencoder_updates=8,
    validations=2,
    images=(32, 64),
    sigma=(0.1, 0.2),
    width=(4, 12),
    groups=(1, 4),
    course_images=48,
)
CONFIG = AblationConfig(setup=SETUP, seeds=(0, 1), sweeps=SWEEPS, workers=1, note="A preset.")


IMAGES = Images(LabelledImages(blobs(64, 0), None), LabelledImages(blobs(32, 1), None), 0)
FLAT = FlatImages.of(IMAGES)


def test_floors_are_ordered() -> None:
    found = error_floors(FLAT, SETUP)
    assert found["wiener"] < found["noisy"] and found["wiener"] < found["wiener_shifted"]
    assert found["images_8"] < found["images_4"]
    empty = psnr(high_band(FLAT.test, FLAT.shape).square().mean())
    assert found["zero_hf_psnr"] == float(empty)


def measured(name: str, seed: int = 0, setup: Setup = SETUP) -> Result:
    """Everything that does not depend on the speed of the machine."""
    result = run_experiment(experiment(name, seed, setup), FLAT, lambda share: None)
    history = [{k: v for k, v in row.items() if "seconds" not in k} for row in result.history]
    return replace(result, history=history, values={**result.values, "cpu_seconds": 0})


@pytest.mark.parametrize("name", ["bands 2", "latent", "product 4", "signs"])
def test_a_run_depends_on_its_seed_only(name: str) -> None:
    first = measured(name)
    torch.rand(7)  # whatever ran before
    assert measured(name) == first
    assert measured(name, seed=1).values["mse"] != first.values["mse"]


def test_limits_and_floors_of_a_run() -> None:
    setup = replace(SETUP, autoencoder_epochs=60)
    latent, softmax, bands = (
        measured(name, setup=setup) for name in ("latent", "softmax", "bands 2")
    )
    assert 0 == bands.number("floor") < latent.number("floor") < softmax.number("floor")
    assert latent.values["mse_mean"] == latent.values["mse"] != softmax.values["mse_mean"]
    assert latent.history[-1]["mse"] == pytest.approx(latent.values["mse"])
    few = replace(SETUP, images=16, test_images=8)
    assert (
        run_experiment(Experiment("bands", 0, few), FLAT, lambda _: None).history[-1]["step"] == 3
    )


def test_plan_shares_runs_and_keeps_the_number_of_updates() -> None:
    made = Design.of(CONFIG, 64)
    assert set(made.tabled) == set(TABLED) >= {r.predictor for t in TABLES for r in t.rows}
    assert len(made.experiments()) == len(set(made.experiments()))
    by_sweep = {point.sweep: point for point in made.points}
    groups = [p for p in made.points if p.sweep == "groups"]
    assert groups[0].experiments["product 1"] == by_sweep["images"].experiments["softmax"]
    for point in made.points:
        setup = point.experiments["latent"][0].setup
        assert setup.epochs * (setup.images or 0) // setup.batch == SWEEPS.updates
    assert {
        p.value: p.experiments["pixel"][0].setup.sigma for p in made.points if p.sweep == "sigma"
    } == {
        0.1: 0.1,
        0.2: 0.2,
    }


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ablation")
    ablate(CONFIG, IMAGES, out, quiet=True)
    return out


def test_report_has_every_row_and_every_number(report: Path) -> None:
    text = (report / "REPORT.md").read_text("utf-8")
    numbers = json.loads((report / "ablation.json").read_text("utf-8"), parse_constant=_refuse)
    cells = sum(len(table.rows) * len(table.quantities) for table in TABLES)
    assert len(numbers["tables"]) == cells
    for table in TABLES:
        for row in table.rows:
            for quantity in table.quantities:
                assert f"| {row.label} | {quantity.label} |" in text
    assert CONFIG.note in text and "nan" not in text and "inf" not in text.replace("informed", "")
    assert {o["sweep"] for o in numbers["sweeps"]} == {
        *("updates", "images", "sigma", "width", "groups")
    }
    for name in ("learning_curves.png", "beside_paper.png", "sweeps.png"):
        assert f"({name})" in text and (report / name).read_bytes().startswith(b"\x89PNG")


def test_finished_experiments_are_not_repeated(
    report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (report / "REPORT.md").read_text("utf-8")
    repeated: list[Experiment] = []

    def counted(
        experiment: Experiment, images: FlatImages, tick: Callable[[float], None]
    ) -> Result:
        repeated.append(experiment)
        return run_experiment(experiment, images, tick)

    monkeypatch.setattr(parallel, "run_experiment", counted)
    for name in ("plot_learning_curves", "plot_beside_paper", "plot_sweeps"):
        monkeypatch.setattr(plots, name, lambda *_: None)
    ablate(CONFIG, IMAGES, report, quiet=True)
    assert not repeated and (report / "REPORT.md").read_text("utf-8") == before
    next((report / "runs").glob("*.json")).unlink()
    parallel.run_all(Design.of(CONFIG, 64).experiments(), FLAT, report / "runs", 1, quiet=True)
    assert len(repeated) == 1


def test_a_batch_larger_than_a_training_set_is_refused(tmp_path: Path) -> None:
    large = replace(CONFIG, setup=replace(SETUP, batch=33))
    with pytest.raises(InputError, match="batch of 33 for 32 training images"):
        ablate(large, IMAGES, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_keys_of_results_stay_the_same() -> None:
    """Results of earlier versions are found again."""
    assert Experiment("bands", 0, Setup(), scales=2).key("data") == "23a066b5cce202e2"
    assert Experiment("softmax", 3, Setup(sigma=0.1), groups=4).key("data") == "934e8bba41f97f9b"


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    experiments = Design.of(replace(CONFIG, sweeps=None), 64).experiments()
    one, two = (
        parallel.run_all(experiments, FLAT, tmp_path / str(n), n, quiet=True) for n in (1, 2)
    )
    for each in experiments:
        assert one[each].values["mse"] == two[each].values["mse"]
        assert one[each].values["grad_var"] == two[each].values["grad_var"]


@pytest.mark.parametrize("name", ["paper", "paper_quick"])
def test_configs_plan_every_table(name: str) -> None:
    config = load(AblationConfig, Path(__file__).parents[3] / f"configs/images/{name}.yaml")
    made = Design.of(config, 60_000)
    assert all(len(runs) == len(config.seeds) for runs in made.tabled.values())
    for experiments in made.tabled.values():
        assert experiments[0].setup.learning_rate == 1e-3 and experiments[0].setup.width == 512


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
