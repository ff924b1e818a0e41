"""Sharded training equals that of one process, and resumes exactly after a kill at any time."""

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from refine_core.errors import InputError
from refine_core.training.sharding import shard, units
from tests.refine_core.tiny import refiner
from tests.refine_core.training.sharded import OPT, Result, train, train_in

RARELY = replace(OPT, save_minutes=60.0)
KINDS = {
    "adamw": OPT,
    "muon": replace(RARELY, optimizer="muon"),
    "bf16": replace(RARELY, precision="bf16-mixed", ema=None),
    "parts": replace(RARELY, accumulate=3),
    "methods": RARELY,
}
DDP = {"ddp": replace(KINDS["bf16"], fsdp=False)}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Result]]]:
    """The folder of trainings in two processes, and what came out in each."""
    folder = tmp_path_factory.mktemp("two")
    found, codes, said = train_in(2, folder, KINDS | DDP)
    assert codes == [0, 0] and said == ["", ""]
    return folder, found


def near(found: Result, expected: Result, tolerance: float = 1e-5) -> None:
    own, other = (_without_bias_of_keys(each["weights"]) for each in (found, expected))
    torch.testing.assert_close(own, other, rtol=tolerance, atol=tolerance)
    for row, other in zip(found["rows"], expected["rows"], strict=True):
        assert row == pytest.approx(other, rel=max(1e-4, tolerance))


def _without_bias_of_keys(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Attention does not depend on it: its gradients are rounding, of which AdamW makes steps."""
    return {
        name: torch.cat([each.chunk(3)[0], each.chunk(3)[2]])
        if name.endswith("qkv.bias")
        else each
        for name, each in weights.items()
    }


def same(found: Result, expected: Result) -> None:
    assert found["rows"] == expected["rows"]
    for name, tensor in expected["weights"].items():
        assert torch.equal(found["weights"][name], tensor), name


@pytest.mark.parametrize("kind", ["adamw", "muon", "parts", "methods"])
def test_two_processes_equal_one(
    kind: str, two: tuple[Path, list[dict[str, Result]]], tmp_path: Path
) -> None:
    expected = train(tmp_path / kind, KINDS[kind])
    for found in two[1]:
        # AdamW takes whole steps where gradients are rounding errors: a step is of 0.02.
        near(found[kind], expected, 2e-3 if kind == "methods" else 1e-4)


def test_weights_are_rounded_as_autocast_rounds_them(
    two: tuple[Path, list[dict[str, Result]]],
) -> None:
    """Of two processes with a whole state each the sums are the same ones."""
    for found in two[1]:
        near(found["bf16"], found["ddp"])


def test_each_process_holds_half_of_the_state(
    two: tuple[Path, list[dict[str, Result]]], tmp_path: Path
) -> None:
    """Weights, average and moments, but for counts of steps and parameters of one row."""
    whole = train(tmp_path, OPT)["held"]
    assert all(0.45 * whole < found["adamw"]["held"] < 0.55 * whole for found in two[1])
    shards = [path for path in (two[0] / "adamw").iterdir() if "-of-2" in path.name]
    assert sorted(path.name for path in shards) == [
        "last-12-1-of-2.safetensors",
        "last-12-2-of-2.safetensors",
    ]


def test_a_shard_that_is_missing_or_damaged_is_named(
    two: tuple[Path, list[dict[str, Result]]], tmp_path: Path
) -> None:
    folder = tmp_path / "adamw"
    shutil.copytree(two[0] / "adamw", folder)
    shard = folder / "last-12-2-of-2.safetensors"
    content = shard.read_bytes()
    shard.write_bytes(content[:-9])
    with pytest.raises(InputError, match="2-of-2.safetensors is cut short or damaged: delete the"):
        train(folder, OPT)
    shard.unlink()
    with pytest.raises(InputError, match="lacks its shard last-12-2-of-2.saf.*: put it back"):
        train(folder, OPT)
    shard.write_bytes(content)
    same(train(folder, OPT), two[1][0]["adamw"])


def test_a_parameter_without_dimensions_is_refused() -> None:
    module = nn.Module()
    module.scale = nn.Parameter(torch.ones(()))
    with pytest.raises(InputError, match=r"parameter scale without dimensions.*give it the shape"):
        shard(module, None)  # type: ignore[arg-type]


def test_blocks_are_gathered_apart_unless_their_calls_vary() -> None:
    model = refiner()
    found = units(model)
    assert [len(unit) for unit in found] == [1, 4, 1, 4]
    assert found[0] == [model.transformer.blocks[0].get_submodule("modulation.sample")]
    model.calls_vary = True
    assert not units(model)


@pytest.mark.slow
@pytest.mark.parametrize(("rank", "place"), [(1, "step"), (0, "save"), (1, "save")])
def test_a_run_of_which_a_process_is_killed_resumes_exactly(
    rank: int, place: str, two: tuple[Path, list[dict[str, Result]]], tmp_path: Path
) -> None:
    """On as many processes to the last bit, on others up to rounding."""
    opts = {"adamw": OPT}
    _, codes, _ = train_in(2, tmp_path, opts, kill=(rank, 7, place))
    assert codes == [-signal.SIGKILL]
    if place == "step":
        for count in (1, 3):
            other = tmp_path / str(count)
            shutil.copytree(tmp_path / "adamw", other / "adamw")
            if count == 1:
                near(train(other / "adamw", OPT), two[1][0]["adamw"])
                assert not list((other / "adamw").glob("*-of-*"))
            else:
                found, codes, _ = train_in(3, other, opts)
                assert codes == [0, 0, 0]
                near(found[2]["adamw"], two[1][0]["adamw"])
    found, codes, said = train_in(2, tmp_path, opts)
    assert codes == [0, 0], said
    for each, expected in zip(found, two[1], strict=True):
        same(each["adamw"], expected["adamw"])
    assert len(list((tmp_path / "adamw").glob("*-of-*"))) == 2


@pytest.mark.slow
def test_a_run_of_one_process_goes_on_in_two_and_a_damaged_shard_ends_both(
    two: tuple[Path, list[dict[str, Result]]], tmp_path: Path
) -> None:
    short, opts = replace(OPT, epochs=2, final_rate=1.0), {"a": replace(OPT, final_rate=1.0)}
    train(tmp_path / "a", short)
    expected = train(tmp_path / "whole", opts["a"])
    found, codes, said = train_in(2, tmp_path, opts)
    assert codes == [0, 0], said
    near(found[1]["a"], expected)
    (tmp_path / "a" / "last-12-2-of-2.safetensors").write_bytes(b"")
    _, codes, said = train_in(2, tmp_path, opts)
    assert codes == [2, 2]
    assert "2-of-2.safetensors is empty" in said[0] and said[1] == ""
