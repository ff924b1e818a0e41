"""The training loop: exact resume, several processes, averaging, wrong input."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from refine_core.data import Batch, Tensors
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.checkpoint import versions
from refine_core.training.config import Optimisation
from refine_core.training.fit import fit
from refine_core.training.runs import Run
from refine_core.training.state import Row
from tests.refine_core.tiny import DIM, refiner

OPT = Optimisation(epochs=4, batch=8, learning_rate=0.05, ema=0.9, save_minutes=0.0)


class Line(nn.Module):
    """Noisy linear regression with dropout, so that every kind of randomness is in play."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 1)
        self.dropout = nn.Dropout(0.1)
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.stop_at: int | None = None
        self.how: type[BaseException] = KeyboardInterrupt

    def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
        if self.stop_at is not None and int(self.steps) == self.stop_at:
            raise self.how
        x, y = batch
        predicted = self.linear(self.dropout(x + 0.1 * noise.normal(0, 3)))
        return {"loss": (predicted - y).square().mean()}

    def after_step(self) -> None:
        self.steps += 1


def data(samples: int = 42) -> Tensors:
    x = torch.randn(samples, 3, generator=torch.Generator().manual_seed(0))
    return Tensors(x, x @ torch.tensor([[1.0], [-2.0], [0.5]]))


def line(stop_at: int | None = None, how: type[BaseException] = KeyboardInterrupt) -> Line:
    torch.manual_seed(0)
    made = Line()
    made.stop_at, made.how = stop_at, how
    return made


def without_time(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def start(path: Path, opt: Optimisation = OPT) -> Run:
    return Run.start(path, opt, seed=1)


@pytest.mark.parametrize("stop_at", [1, 7, 19])
@pytest.mark.parametrize("how", [KeyboardInterrupt, MemoryError])
def test_resumed_equals_uninterrupted(
    stop_at: int, how: type[BaseException], tmp_path: Path
) -> None:
    """Ctrl-C saves where it hits; any other end loses the steps since the last checkpoint."""
    opt = OPT if how is KeyboardInterrupt else replace(OPT, save_minutes=60.0)
    whole, expected = fit(line(), data(), opt, seed=1, run=start(tmp_path / "a", opt), quiet=True)
    with pytest.raises(how):
        fit(line(stop_at, how), data(), opt, seed=1, run=start(tmp_path / "b", opt), quiet=True)
    resumed, history = fit(line(), data(), opt, seed=1, run=start(tmp_path / "b", opt), quiet=True)
    assert without_time(history) == without_time(expected)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_stop_while_an_epoch_is_judged_loses_no_row(tmp_path: Path) -> None:
    """Whichever epoch it is, the last one among them."""
    _, expected = fit(line(), data(), OPT, seed=1, quiet=True, validate=lambda _: {"judged": 1.0})
    for stop in range(1, OPT.epochs + 1):
        run, judged = start(tmp_path / str(stop)), iter(range(1, OPT.epochs + 1))

        def validate(_: nn.Module, stop: int = stop, judged: Iterator[int] = judged) -> Row:
            if next(judged) == stop:
                raise KeyboardInterrupt
            return {"judged": 1.0}

        with pytest.raises(KeyboardInterrupt):
            fit(line(), data(), OPT, seed=1, run=run, quiet=True, validate=validate)
        _, rows = fit(
            line(), data(), OPT, seed=1, run=run, quiet=True, validate=lambda _: {"judged": 1.0}
        )
        assert without_time(rows) == without_time(expected)


def test_a_run_is_not_continued_on_other_data(tmp_path: Path) -> None:
    fit(line(), data(), OPT, seed=1, run=Run.start(tmp_path, OPT, 1, "here"), quiet=True)
    fit(line(), data(), OPT, seed=1, run=Run.start(tmp_path, OPT, 1, "here"), quiet=True)
    with pytest.raises(InputError, match="on other data than the source has now"):
        fit(line(), data(), OPT, seed=1, run=Run.start(tmp_path, OPT, 1, "there"), quiet=True)


def test_metrics_are_json_whatever_they_are(tmp_path: Path) -> None:
    start(tmp_path).write_metrics([{"bits": float("inf"), "loss": float("nan"), "step": 3}])
    text = (tmp_path / "metrics.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == [
        {"bits": None, "loss": None, "step": 3}
    ]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first, history = fit(line(), data(), OPT, seed=1, run=start(tmp_path), quiet=True)
    again, same = fit(line(stop_at=0), data(), OPT, seed=1, run=start(tmp_path), quiet=True)
    assert same == history
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_damaged_run_can_be_started_again(tmp_path: Path) -> None:
    fit(line(), data(), OPT, seed=1, run=start(tmp_path), quiet=True)
    file = tmp_path / "last.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(InputError, match="damaged: delete the folder .* to train from the start"):
        fit(line(), data(), OPT, seed=1, run=start(tmp_path), quiet=True)


def test_run_folder(tmp_path: Path) -> None:
    def validate(model: Line) -> Row:
        return {"weight": float(model.linear.weight.sum())}

    fit(line(), data(), OPT, seed=1, run=start(tmp_path), quiet=True, validate=validate)
    rows = json.loads((tmp_path / "metrics.json").read_text())
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert {"loss", "grad_norm_mean", "grad_norm_var", "weight", "seconds"} <= rows[0].keys()
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 5
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["seed"] == 1 and record["versions"] == versions()
    assert (tmp_path / "config.yaml").exists()


def test_average_follows_the_weights() -> None:
    last, _ = fit(line(), data(), Optimisation(epochs=1, batch=8, ema=None), seed=1, quiet=True)
    mean, _ = fit(line(), data(), Optimisation(epochs=1, batch=8, ema=0.5), seed=1, quiet=True)
    begin = line().linear.weight
    gap = (last.linear.weight - mean.linear.weight).abs().sum()
    assert 0 < gap < (last.linear.weight - begin).abs().sum()
    assert int(mean.steps) == int(last.steps) == 5


def test_bfloat16_is_close_to_float32() -> None:
    full, rows = fit(line(), data(), replace(OPT, ema=None), seed=1, quiet=True)
    mixed, other = fit(
        line(), data(), replace(OPT, ema=None, precision="bf16-mixed"), seed=1, quiet=True
    )
    assert abs(rows[-1]["loss"] - other[-1]["loss"]) < 0.1 * rows[0]["loss"]
    assert all(p.dtype == torch.float32 for p in mixed.parameters())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of the compiler itself
def test_compiled_equals_plain() -> None:
    plain, rows = fit(refiner().train(), codes(), OPT, seed=1, quiet=True)
    fast, other = fit(refiner().train(), codes(), replace(OPT, compile=True), seed=1, quiet=True)
    assert other[-1]["loss"] == pytest.approx(rows[-1]["loss"], rel=1e-3)
    assert fast.state_dict().keys() == plain.state_dict().keys()


def codes() -> Tensors:
    x = torch.randn(32, DIM, 5, 5, generator=torch.Generator().manual_seed(0))
    return Tensors(x, torch.arange(32) % 3)


def test_other_seed_or_config_is_refused(tmp_path: Path) -> None:
    fit(line(), data(), OPT, seed=1, run=start(tmp_path), quiet=True)
    with pytest.raises(InputError, match="another seed or configuration"):
        fit(line(), data(), OPT, seed=2, run=start(tmp_path), quiet=True)
    with pytest.raises(InputError, match="another seed or configuration"):
        other = Optimisation(epochs=5, batch=8)
        fit(line(), data(), other, seed=1, run=start(tmp_path, other), quiet=True)


def test_too_little_data_and_divergence_are_named() -> None:
    with pytest.raises(InputError, match="5 samples, fewer than one batch of 8"):
        fit(line(), data(5), OPT, seed=1, quiet=True)
    broken = Tensors(torch.full((8, 3), torch.nan), torch.zeros(8, 1))
    with pytest.raises(InputError, match="diverged at step 0"):
        fit(line(), broken, OPT, seed=1, quiet=True)


SCRIPT = """
import torch, sys
from tests.refine_core.training.test_fit import Line, data, line
from refine_core.training.config import Optimisation
from refine_core.training.state import Row
from refine_core.training.fit import fit
model = line()
model.dropout.p = 0.0
fitted, history = fit(model, data(), Optimisation(epochs=3, batch=8, ema=0.9), seed=1, quiet=True)
if int(__import__("os").environ.get("RANK", 0)) == 0:
    torch.save([fitted.linear.weight, torch.tensor(history[-1]["loss"])], sys.argv[1])
"""


def test_two_processes_equal_one(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
    ]
    results = []
    for name, command in (("one", [sys.executable]), ("two", launcher)):
        out = tmp_path / name
        subprocess.run(
            [*command, str(tmp_path / "script.py"), str(out)], check=True, env=env, timeout=120
        )
        results.append(torch.load(out, weights_only=True))
    for a, b in zip(*results, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
