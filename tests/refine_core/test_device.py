"""One name for a device, with one meaning everywhere."""

import os

import pytest
import torch

from refine_core.app.cli import commands
from refine_core.device import (
    PRECISION_VARIABLE,
    VARIABLE,
    find_device,
    in_precision,
    multiplies_bfloat16,
    on_device,
    precision_asked,
    using_device,
    using_precision,
)
from refine_core.errors import InputError
from refine_core.tokens import Tokens
from refine_core.transformer import Transformer

seen: list[str] = []


def draw(count: int = 1) -> None:
    """Draw.

    Args:
        count: How many.
    """
    seen.append(f"{count} {find_device()}")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine with two CUDA devices and nothing asked for."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    return monkeypatch


def test_auto_is_the_fastest_kind_that_is_there(machine: pytest.MonkeyPatch) -> None:
    assert str(find_device()) == "cuda"
    machine.setattr(torch.cuda, "device_count", lambda: 0)
    assert str(find_device()) == "cpu"
    machine.setattr(torch.backends.mps, "is_available", lambda: True)
    assert str(find_device()) == "mps"


def test_a_device_is_asked_for_around_calls(machine: pytest.MonkeyPatch) -> None:
    with using_device("cuda:1"):
        assert str(find_device()) == "cuda:1" and str(find_device("cpu")) == "cpu"
        with using_device("auto"):
            assert str(find_device()) == "cuda:1"
        assert os.environ[VARIABLE] == "cuda:1", "processes that are started inherit it"
    assert str(find_device()) == "cuda" and VARIABLE not in os.environ


@pytest.mark.parametrize("name", ["amx_bf16", "avx512_bf16", "bf16", "avx2"])
def test_the_processor_says_what_it_multiplies(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {name: True}, raising=False)
    assert multiplies_bfloat16(torch.device("cpu")) == (name != "avx2")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpu", "Found device 'gpu', expected auto, cpu, cuda, mps"),
        ("cuda:2", "which is not there: use cuda:0 or cuda:1 or cpu."),
        ("mps", "Found device mps, which is not there"),
    ],
)
def test_what_is_not_there(name: str, expected: str, machine: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=expected):
        find_device(name)


def test_a_command_takes_a_device(
    machine: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {"draw": on_device(draw)}
    seen.clear()
    commands("try", table, ["draw", "--device", "cpu", "--count", "3"])
    commands("try", table, ["draw"])
    assert seen == ["3 cpu", "1 cuda"]
    with pytest.raises(SystemExit):
        commands("try", table, ["draw", "--help"])
    assert "Where networks run" in capsys.readouterr().out
    with pytest.raises(InputError, match="--device tpu, expected auto, cpu"):
        commands("try", table, ["draw", "--device", "tpu"])
    assert len(seen) == 2


def test_a_command_takes_a_precision(capsys: pytest.CaptureFixture[str]) -> None:
    def told(count: int = 1) -> None:
        seen.append(f"{count} {precision_asked()}")

    table = {"draw": on_device(in_precision(told))}
    seen.clear()
    commands("try", table, ["draw", "--network-precision", "bf16-mixed"])
    commands("try", table, ["draw", "--count", "2", "--device", "cpu"])
    assert seen == ["1 bf16-mixed", "2 32-true"] and PRECISION_VARIABLE not in os.environ
    with pytest.raises(InputError, match="--network-precision 16"):
        commands("try", table, ["draw", "--network-precision", "16"])


def test_a_transformer_runs_in_the_precision_asked_for_but_where_it_trains() -> None:
    torch.manual_seed(0)
    made = Transformer(32, 2, 2, levels=1, condition=32).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    level = torch.zeros(4, dtype=torch.int64)
    tokens = Tokens(torch.randn(3, 4, 32), level, condition=torch.randn(3, 32))
    with torch.no_grad():
        plain = made(tokens)
        with using_precision("bf16-mixed"):
            mixed, trained = made(tokens), made.train()(tokens)
    assert mixed.dtype == torch.float32 and torch.equal(plain, trained)
    assert 0 < float((mixed - plain).norm() / plain.norm()) < 0.02
