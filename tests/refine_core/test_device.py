"""One name for a device, with one meaning everywhere."""

import os

import pytest
import torch

from refine_core.app.cli import commands
from refine_core.device import (
    VARIABLE,
    find_device,
    multiplies_bfloat16,
    on_device,
    using_device,
)
from refine_core.errors import InputError

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
