"""The training loop: exact resume, more epochs, parts of a step, averaging, wrong input."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from refine_core.config.schema import load
from refine_core.device import Precision
from refine_core.errors import InputError
from refine_core.noise import Noise
from refine_core.storage.checkpoint import versions
from refine_core.training import loop
from refine_core.training.callbacks import Callback
from refine_core.training.config import Optimisation
from refine_core.training.data import Batch, Tensors
from refine_core.training.loop import fit
from refine_core.training.runs import Run
from refine_core.training.state import Row, TrainState
from tests.refine_core.tiny import DIM, refiner
from tests.refine_core.training.toys import OPT, Line, Ragged, data, line, seeded


def without_time(history: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def start(path: Path, opt: Optimisation = OPT) -> Run:
    return Run.start(path, opt, seed=1)


@pytest.fixture(scope="module")
def uninterrupted() -> tuple[Line, list[Row]]:
    return fit(line(), data(), OPT, seed=1, quiet=True)


@pytest.mark.parametrize("stop_at", [1, 7, 19])
@pytest.mark.parametrize("how", [KeyboardInterrupt, MemoryError])
def test_resumed_equals_uninterrupted(
    stop_at: int,
    how: type[BaseException],
    uninterrupted: tuple[Line, list[Row]],
    tmp_path: Path,
) -> None:
    """Ctrl-C saves where it hits; any other end loses the steps since the last checkpoint."""
    opt = OPT if how is MemoryError else replace(OPT, save_minutes=0.0)
    whole, expected = uninterrupted
    with pytest.raises(how):
        fit(line(stop_at, how), data(), opt, seed=1, run=start(tmp_path, opt), quiet=True)
    resumed, history = fit(line(), data(), opt, seed=1, run=start(tmp_path, opt), quiet=True)
    assert without_time(history) == without_time(expected)
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("stop", [1, 7, 19])
def test_a_stop_within_a_step_does_not_repeat_half_of_it(
    stop: int,
    uninterrupted: tuple[Line, list[Row]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole, expected = uninterrupted
    steps, calls = torch.optim.AdamW.step, iter(range(1, 1000))

    def stopped(self: torch.optim.AdamW, *given: object) -> object:
        found = steps(self, *given)
        if next(calls) == stop:
            raise KeyboardInterrupt
        return found

    opt = replace(OPT, save_minutes=0.0)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch.optim.AdamW, "step", stopped)
        fit(line(), data(), opt, seed=1, run=start(tmp_path, opt), quiet=True)
    resumed, history = fit(line(), data(), opt, seed=1, run=start(tmp_path, opt), quiet=True)
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


def test_auto_is_what_the_device_multiplies_and_a_run_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto, fabric = replace(OPT, precision="auto"), loop._fabric
    named: dict[bool, Precision] = {True: "bf16-mixed", False: "32-true"}
    for native, said in named.items():
        monkeypatch.setattr(loop, "multiplies_bfloat16", lambda _, native=native: native)
        plain, _ = fit(line(), data(), replace(OPT, precision=said), seed=1, quiet=True)
        run = start(tmp_path / said, auto)
        found, _ = fit(line(), data(), auto, seed=1, run=run, quiet=True)
        assert torch.equal(found.linear.weight, plain.linear.weight)
        assert json.loads((tmp_path / said / "run.json").read_text())["precision"] == said
    used: list[Precision] = []

    def watched(precision: Precision, *, fsdp: bool) -> Fabric:
        used.append(precision)
        return fabric(precision, fsdp=fsdp)

    monkeypatch.setattr(loop, "_fabric", watched)
    run = start(tmp_path / "bf16-mixed", auto)
    fit(line(), data(), replace(auto, epochs=6), seed=1, run=run, quiet=True)
    assert used == ["bf16-mixed"], "on a machine of another kind, too"


def test_bfloat16_leaves_the_data_as_they_are() -> None:
    """Grey levels or temperatures of eight bits are not those that were given."""
    seen = []

    class Watching(Line):
        def forward(self, batch: Batch, noise: Noise) -> dict[str, Tensor]:
            seen.append((batch[0].dtype, self.linear(batch[0]).dtype))
            return super().forward(batch, noise)

    fit(Watching(), data(), replace(OPT, precision="bf16-mixed"), seed=1, quiet=True)
    assert set(seen) == {(torch.float32, torch.bfloat16)}


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
        other = replace(OPT, learning_rate=0.04)
        fit(line(), data(), other, seed=1, run=start(tmp_path, other), quiet=True)


def test_too_little_data_and_divergence_are_named() -> None:
    with pytest.raises(InputError, match="5 samples, fewer than one batch of 8"):
        fit(line(), data(5), OPT, seed=1, quiet=True)
    broken = Tensors(torch.full((8, 3), torch.nan), torch.zeros(8, 1))
    with pytest.raises(InputError, match="diverged at step 0"):
        fit(line(), broken, OPT, seed=1, quiet=True)


def test_more_epochs_continue_a_run(tmp_path: Path) -> None:
    """At a constant learning rate the result is that of the longer run."""
    short = replace(OPT, epochs=2, warmup=0.0, final_rate=1.0)
    long = replace(short, epochs=4)
    whole, expected = fit(line(), data(), long, seed=1, quiet=True)
    fit(line(), data(), short, seed=1, run=start(tmp_path, short), quiet=True)
    more, history = fit(line(), data(), long, seed=1, run=start(tmp_path, long), quiet=True)
    assert without_time(history) == without_time(expected)
    assert torch.equal(whole.linear.weight, more.linear.weight)
    assert load(Optimisation, tmp_path / "config.yaml") == long


def test_the_rate_of_a_continued_run_is_that_of_the_longer_one(tmp_path: Path) -> None:
    class Rates(Callback[Line]):
        def end_step(self, state: TrainState[Line]) -> None:
            rates.append(state.optimizer.param_groups[0]["lr"])

    rates: list[float] = []
    fit(line(), data(), OPT, seed=1, callbacks=[Rates()], quiet=True)
    expected, rates = rates[10:], []
    short = replace(OPT, epochs=2)
    fit(line(), data(), short, seed=1, run=start(tmp_path, short), quiet=True)
    fit(line(), data(), OPT, seed=1, run=start(tmp_path), callbacks=[Rates()], quiet=True)
    assert rates == expected and rates[0] > 0.5 * OPT.learning_rate


def test_fewer_epochs_than_done_and_other_changes_are_refused(tmp_path: Path) -> None:
    fit(line(), data(), OPT, seed=1, run=start(tmp_path), quiet=True)
    fewer = replace(OPT, epochs=3)
    with pytest.raises(InputError, match="a run of 4 epochs, expected at most the 3"):
        fit(line(), data(), fewer, seed=1, run=start(tmp_path, fewer), quiet=True)
    other = replace(OPT, epochs=5, clip=2.0)
    with pytest.raises(InputError, match=r"another .*\(epochs: 4, now 5; clip: 1.0, now 2.0\)"):
        fit(line(), data(), other, seed=1, run=start(tmp_path, other), quiet=True)
    assert load(Optimisation, tmp_path / "config.yaml") == OPT


def test_an_earlier_stage_of_another_length_is_another_configuration(tmp_path: Path) -> None:
    """A generator is not continued on a tokeniser that was trained for longer."""

    def both(first: int, second: int) -> Run:
        config = {"first": replace(OPT, epochs=first), "second": replace(OPT, epochs=second)}
        return Run.start(tmp_path, config, seed=1)

    fit(line(), data(), replace(OPT, epochs=2), seed=1, run=both(1, 2), quiet=True)
    with pytest.raises(InputError, match="first.epochs: 1, now 2"):
        fit(line(), data(), replace(OPT, epochs=2), seed=1, run=both(2, 2), quiet=True)
    fit(line(), data(), replace(OPT, epochs=3), seed=1, run=both(1, 3), quiet=True)


@pytest.mark.parametrize("kind", [Line, Ragged])
def test_accumulated_equals_whole(kind: type[Line | Ragged]) -> None:
    """Also where parts have different numbers of terms, and of samples."""
    whole, expected = fit(without_dropout(kind), data(), OPT, seed=1, quiet=True)
    for parts in (2, 3, 8):
        opt = replace(OPT, accumulate=parts)
        found, history = fit(without_dropout(kind), data(), opt, seed=1, quiet=True)
        torch.testing.assert_close(found.state_dict(), whole.state_dict(), rtol=1e-4, atol=1e-5)
        for one, other in zip(without_time(history), without_time(expected), strict=True):
            assert one == pytest.approx(other, rel=1e-3, abs=1e-5)


def without_dropout(kind: type[Line | Ragged]) -> Line | Ragged:
    module = seeded(kind)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module


class Patience(Callback[Line]):
    """Ends a training one epoch after the best."""

    def end_epoch(self, state: TrainState[Line]) -> bool:
        losses = [row["judged"] for row in state.history]
        return losses[-1] > min(losses)


def test_a_callback_ends_a_training_for_good(tmp_path: Path) -> None:
    judged = iter([3.0, 2.0, 4.0, 1.0])
    for _ in range(2):
        _, history = fit(
            line(),
            data(),
            OPT,
            seed=1,
            run=start(tmp_path),
            validate=lambda _: {"judged": next(judged)},
            callbacks=[Patience()],
            quiet=True,
        )
        assert [row["judged"] for row in history] == [3.0, 2.0, 4.0]


class Tally(Callback[Line]):
    """Notes the steps it has done something for, a stop before which it makes up for."""

    def __init__(self, done: list[int], stop: int) -> None:
        self.done, self.stop = done, stop

    def start(self, state: TrainState[Line]) -> None:
        if state.step and state.step not in self.done:
            self.done.append(state.step)

    def end_step(self, state: TrainState[Line]) -> None:
        if state.step == self.stop:
            raise KeyboardInterrupt
        self.done.append(state.step)


@pytest.mark.parametrize("stop", [5, 20])
def test_a_callback_makes_up_for_a_stop_after_a_step(stop: int, tmp_path: Path) -> None:
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fit(line(), data(), OPT, seed=1, run=start(tmp_path), callbacks=[Tally(done, stop)])
    fit(line(), data(), OPT, seed=1, run=start(tmp_path), callbacks=[Tally(done, -1)], quiet=True)
    assert done == list(range(1, 21))


def test_the_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.randn(3)
    torch.manual_seed(5)
    module = Line()
    torch.manual_seed(5)
    fit(module, data(), OPT, seed=1, quiet=True)
    assert torch.equal(torch.randn(3), expected)


def test_a_batch_in_more_parts_than_samples_is_refused() -> None:
    with pytest.raises(InputError, match="does not make 9 parts: lower `accumulate`"):
        fit(line(), data(), replace(OPT, accumulate=9), seed=1, quiet=True)


def test_a_training_is_validated_a_few_times_at_equal_distances() -> None:
    opt = replace(OPT, epochs=7)
    _, rows = fit(
        line(), data(), opt, seed=1, quiet=True, validate=lambda _: {"judged": 1.0}, validations=3
    )
    assert [int(row["epoch"]) for row in rows if "judged" in row] == [1, 4, 7]
